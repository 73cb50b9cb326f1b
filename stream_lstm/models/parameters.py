"""The parameters of S stacked networks as one flat vector per role, with named views into each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating]


class Block(NamedTuple):
    """One named array of each network's parameters."""

    name: str
    shape: tuple[int, ...]
    """Of one network."""
    role: Literal["layers", "heads", "free"] = "layers"
    """Which penalty it bears; what is free bears none."""
    bias: int | None = None
    """The column of biases, which bear no penalty."""


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """One flat vector (n,), and the blocks by name as views into it, each contiguous with S leading."""

    flat: Array
    named: dict[str, Array]  # (S, *shape) each

    def __getitem__(self, name: str) -> Array:
        """A block by its name."""
        return self.named[name]

    @property
    def segments(self) -> tuple[Array, ...]:
        """All blocks, in order."""
        return tuple(self.named.values())

    def of(self, series: int) -> dict[str, Array]:
        """The blocks of one network, as views."""
        return {name: block[series] for name, block in self.named.items()}


class Parameters:
    """The parameters and the gradient with respect to them."""

    def __init__(self, blocks: Sequence[Block], series: int, dtype: DTypeLike) -> None:
        self.blocks: Final = tuple(blocks)
        self.true: Final = allocate(blocks, series, dtype)
        self.gradient: Final = allocate(blocks, series, dtype)


def allocate(blocks: Sequence[Block], series: int, dtype: DTypeLike) -> Views:
    """A vector of zeros with its views."""
    shapes = [(series, *block.shape) for block in blocks]
    ends = np.cumsum([int(np.prod(each)) for each in shapes])
    flat = np.zeros(int(ends[-1]), dtype)
    pieces = zip(blocks, shapes, np.split(flat, ends[:-1]), strict=True)
    return Views(flat, {block.name: piece.reshape(shape) for block, shape, piece in pieces})
