"""Rows of facts: a table where it fits, else a few lines each. What does not fit is moved, never cut."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stream_lstm.terminal.packing import packed

_ANY_WIDTH: Final = 100_000
_INDENT: Final = 2

Cell = str | Text


class Rows:
    """Rows of cells under `titles`; those in `words` are set to the left, the others are numbers."""

    def __init__(self, titles: Sequence[str], rows: Sequence[Sequence[Cell]], words: Collection[str]) -> None:
        self._titles = titles
        self._words = words
        self._rows = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for gap in (2, 1):
            table = self.table(gap)
            if fits(table, console, options):
                yield table
                return
        yield from self._blocks(options.max_width)

    def table(self, gap: int = 2) -> Table:
        """The table, whether it fits or not."""
        table = plain_table(gap)
        for title in self._titles:
            table.add_column(title, justify="left" if title in self._words else "right", no_wrap=True)
        for row in self._rows:
            table.add_row(*row)
        return table

    def _blocks(self, width: int) -> Iterator[RenderableType]:
        for first, *others in self._rows:
            yield Text.assemble((first.plain, "bold"), overflow="fold")
            parts = (
                Text.assemble((f"{title} ", "dim"), cell)
                for title, cell in zip(self._titles[1:], others, strict=True)
            )
            for line in packed(parts, width - _INDENT):
                line.overflow = "fold"
                yield Padding(line, (0, 0, 0, _INDENT), expand=False)


def fits(table: Table, console: Console, options: ConsoleOptions) -> bool:
    """Whether it has all the room that it wants."""
    wanted = Measurement.get(console, options.update(max_width=_ANY_WIDTH), table).maximum
    return wanted <= options.max_width


def plain_table(gap: int = 2) -> Table:
    """A table with a line under its titles and no other, and so many blanks between columns."""
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0), header_style="bold"
    )
