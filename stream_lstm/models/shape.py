"""The sizes of a stack of networks, named once."""

from typing import NamedTuple


class Shape(NamedTuple):
    """S series, F inputs, H hidden units, K outputs, B windows in a batch, T steps in a window."""

    series: int
    inputs: int
    hidden: int
    outputs: int
    batch: int
    steps: int

    @property
    def operand(self) -> int:
        """Rows of what one step multiplies, [x; 1; h]: F + 1 + H."""
        return self.inputs + 1 + self.hidden
