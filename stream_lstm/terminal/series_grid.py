"""One row per series and a column per horizon, coverage below: the cells, in the layout that fits."""

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import chain, zip_longest
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from stream_lstm.terminal.board import Board, Coverage, Outlook, SeriesState
from stream_lstm.terminal.figures import UNKNOWN, count, duration, plain, price, share

BAD: Final = "bold red"
FAINT: Final = "dim"
EXTRAPOLATED: Final = "extrapolated"
"""The reason of a forecast without a head of its own; it is marked with an asterisk."""

_ENOUGH_SCORES: Final = 500
_TOLERANCE: Final = 0.05
"""Coverage further from what was asked is remarked upon, as in the alerts."""
_BEHIND_CANDLES: Final = 10
_FRAME_LINES: Final = 3
"""Header and the two lines of the table."""
_WORDS: Final = ("Series", "Model")
"""Titles of the columns that are no numbers."""

Row = list[Text]


class Layout(Enum):
    """How a row is laid out, the widest first."""

    BOUNDS = "one line, interval as two bounds"
    PERCENT = "one line, interval as ±%"
    STACKED = "two lines, interval as ±% below the forecast"

    @property
    def lines(self) -> int:
        """Lines of a row."""
        return 2 if self is Layout.STACKED else 1

    @property
    def joint(self) -> str:
        """What is between the two parts of a cell."""
        return "\n" if self is Layout.STACKED else " "


class Grid(NamedTuple):
    """The cells, header first and coverage last, and how they are set."""

    layout: Layout
    gap: int
    """Blank columns between two columns."""
    horizons: Sequence[str]
    rows: list[Row]

    @property
    def widths(self) -> list[int]:
        """Of the columns, in characters."""
        return [max(map(_cell_width, column)) for column in zip(*self.rows, strict=True)]

    @property
    def width(self) -> int:
        """In characters."""
        return sum(self.widths) + self.gap * (len(self.rows[0]) - 1)

    @property
    def series(self) -> int:
        """How many there are."""
        return len(self.rows) - 2

    @property
    def height(self) -> int:
        """How many lines that makes."""
        return _FRAME_LINES + (self.series + 1) * self.layout.lines

    def lines(self) -> Iterator[Text]:
        """Header, line, series, line, coverage."""
        # Set by hand: with rich's Table a drawing costs 50 ms instead of 20, four times a second.
        widths = self.widths
        rule = Text("─" * self.width, no_wrap=True, overflow="crop")
        header, *series, coverage = ([*self._set(row, widths)] for row in self.rows)
        yield from (*header, rule, *chain.from_iterable(series), rule, *coverage)

    def _set(self, row: Row, widths: Sequence[int]) -> Iterator[Text]:
        """The lines of a row, words to the left and numbers to the right of their columns."""
        cells = [cell.split("\n", allow_blank=True) for cell in row]
        for parts in zip_longest(*cells, fillvalue=Text("")):
            line = Text(no_wrap=True, overflow="ellipsis")
            for part, width, title in zip(parts, widths, self.rows[0], strict=True):
                blank = " " * (width - part.cell_len)
                before, after = ("", blank) if title.plain in _WORDS else (blank, "")
                line.append(before).append_text(part).append(after + " " * self.gap)
            line.rstrip()
            yield line


def fitting(board: Board, horizons: Sequence[str], width: int, height: int) -> Grid:
    """The most telling grid of at most `width` characters, with as many series as fit into `height` lines.

    There is one series and one horizon at least; where not all horizons fit, the longest are left out.
    """
    for layout in Layout:
        grid = _grid(board, horizons, layout, height)
        for gap in (2, 1):
            grid = grid._replace(gap=gap)
            if grid.width <= width:
                return grid
    while len(grid.horizons) > 1 and grid.width > width:
        grid = _grid(board, grid.horizons[:-1], Layout.STACKED, height)
    return grid


def _grid(board: Board, horizons: Sequence[str], layout: Layout, height: int) -> Grid:
    room = max(1, (height - _FRAME_LINES) // layout.lines - 1)
    shown = [board.series[name] for name in board.names[:room]]
    exchanges = len({series.name.exchange for series in shown}) > 1
    rows = [
        [
            _name(series, layout, exchanges),
            _close(series, layout, board.as_of),
            *(_forecast(series.outlooks.get(horizon), series.last_close, layout) for horizon in horizons),
            *(_model_stacked(series) if layout is Layout.STACKED else _model(series)),
        ]
        for series in shown
    ]
    titles = ["Series", "Close", *horizons, "Model"]
    titles += [] if layout is Layout.STACKED else ["Age", "Retrain"]
    header = [Text(title, style="bold") for title in titles]
    footer = _coverage_row(board.coverage, horizons, layout)
    footer += [Text("")] * (len(header) - len(footer))
    return Grid(layout, 1, horizons, [header, *rows, footer])


def _name(series: SeriesState, layout: Layout, exchanges: bool) -> Text:
    symbol, interval, exchange = series.name
    more = f"{interval} {exchange}" if exchanges else interval
    return Text.assemble((plain(symbol), "bold"), layout.joint, (plain(more), FAINT))


def _close(series: SeriesState, layout: Layout, newest: int) -> Text:
    """The last close; how old it is if the series is well behind the others."""
    text, age = Text(price(series.last_close)), newest - series.as_of
    if age >= _BEHIND_CANDLES * series.step_ms:
        text.append(layout.joint).append(f"{duration(age)} old", style=BAD)
    return text


def _forecast(outlook: Outlook | None, last_close: float, layout: Layout) -> Text:
    if outlook is None:
        return Text(UNKNOWN, style=FAINT)
    lower, upper = price(outlook.lower, last_close), price(outlook.upper, last_close)
    half = (outlook.upper - outlook.lower) / 2 / outlook.price
    interval = f"{lower}–{upper}" if layout is Layout.BOUNDS else f"±{share(half)}"
    mark = "*" if outlook.reason == EXTRAPOLATED else ""
    return Text.assemble(price(outlook.price, last_close), layout.joint, (interval + mark, "cyan"))


def _model(series: SeriesState) -> Row:
    """Which model answered, its age, and when the next is due."""
    age, due = series.model_age_ms, series.retrain_in_ms
    name = Text(plain(series.model))
    if series.stale:
        name.append(" stale", style=BAD)
    unknown = Text(UNKNOWN, style=FAINT)
    return [name, unknown if age is None else Text(_span(age)), unknown if due is None else Text(_until(due))]


def _model_stacked(series: SeriesState) -> Row:
    """The same in one cell of two lines."""
    age, due = series.model_age_ms, series.retrain_in_ms
    text = Text(plain(series.model) + ("" if age is None else f", {_span(age)} old") + "\n")
    if series.stale:
        text.append("stale, ", style=BAD)
    return [text.append("" if due is None else f"next {_until(due)}", style=FAINT)]


def _span(milliseconds: int) -> str:
    return duration(max(milliseconds, 0))


def _until(milliseconds: int) -> str:
    return f"in {duration(milliseconds)}" if milliseconds > 0 else "due"


def _coverage_row(coverage: dict[str, Coverage], horizons: Sequence[str], layout: Layout) -> Row:
    asked = sorted({f"{100 * one.nominal:.3g}%" for one in coverage.values()})
    label = Text("Coverage", style="bold")
    nominal = Text("/".join(asked) + layout.joint + "asked" if asked else "")
    cells = [_covered(coverage.get(horizon), layout) for horizon in horizons]
    return [label, nominal, *cells]


def _covered(coverage: Coverage | None, layout: Layout) -> Text:
    if coverage is None:
        return Text("no score" + layout.joint + "yet", style=FAINT)
    text = Text(f"{100 * coverage.share:.1f}%")
    off = coverage.share - coverage.nominal
    if abs(off) > _TOLERANCE and coverage.count >= _ENOUGH_SCORES:
        text.append(" low" if off < 0 else " high", style=BAD)
    return text.append(layout.joint).append(f"of {count(coverage.count)}", style=FAINT)


def _cell_width(text: Text) -> int:
    return max(map(cell_len, text.plain.split("\n")))
