"""The live view of a board: series, coverage, counts and the last events, as much as fits the console."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from stream_lstm.terminal.board import Board
from stream_lstm.terminal.figures import count, duration, moment, plain
from stream_lstm.terminal.packing import SEPARATOR, packed
from stream_lstm.terminal.sentences import sentence
from stream_lstm.terminal.series_grid import BAD, EXTRAPOLATED, FAINT, Grid, fitting

_SILENCE_SECONDS: Final = 3.0
_FEWEST_EVENTS: Final = 3
_MOST_EVENTS: Final = 8
_NOTE_LINES: Final = 1
_ROOMY_LINES: Final = 30
"""With fewer there are no blank lines, and one event is enough."""


class Latency(NamedTuple):
    """From record received to predictions acknowledged, in milliseconds."""

    p50: float
    p99: float


class LiveTable:
    """A renderable of a board as it is when it is drawn, at most as high and as wide as the console.

    `horizons` chooses those that are shown, all if it is empty; `latency` may be set at any time.
    """

    def __init__(self, board: Board, *, horizons: Sequence[str] = (), latency: Latency | None = None) -> None:
        self.board = board
        self.latency = latency
        self._chosen = frozenset(horizons)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.max_height - 1
        roomy = height >= _ROOMY_LINES
        blank = [Text("")] if roomy else []
        counts = [_line(text) for text in packed(self._counts(), width)]
        height -= 1 + 2 * len(blank) + len(counts)
        reserved = min(len(self.board.log), _FEWEST_EVENTS if roomy else 1)
        series, lines = self._series(width, height - reserved)
        yield _line(Text(self._headline(), "bold"))
        yield from (*blank, *series, *blank, *counts)
        yield from self._events(min(_MOST_EVENTS, height - lines))

    def _headline(self) -> str:
        board = self.board
        parts = [f"stream-lstm: {count(len(board.names))} series"]
        if board.as_of >= 0:
            parts.append(f"candles up to {moment(board.as_of)} UTC")
        silence = board.silence_seconds()
        if silence >= _SILENCE_SECONDS:
            parts.append(f"last message {duration(int(silence * 1000))} ago")
        return SEPARATOR.join(parts)

    def _series(self, width: int, height: int) -> tuple[list[Text], int]:
        """The table of as many series as fit and a line of notes, and how many lines that makes."""
        board = self.board
        if not board.names:
            return [Text("Waiting for the first prediction: a worker answers when a candle closes.")], 1
        horizons = [name for name in board.horizons if not self._chosen or name in self._chosen]
        grid = fitting(board, horizons, width, height - _NOTE_LINES)
        return [*grid.lines(), _line(_notes(board, grid, horizons))], grid.height + _NOTE_LINES

    def _counts(self) -> list[Text]:
        board = self.board
        failed, dead = board.failed_trainings, board.dead_letters.total()
        parts = [
            Text(f"candles {count(board.candles)} ({board.candles_per_second():.1f}/s)"),
            Text(f"predictions {count(board.predictions.total())}{_shares(board.predictions)}"),
            Text(f"scores {count(board.scores)}"),
            Text(f"trainings {count(board.trainings)}, ").append(f"{count(failed)} failed", _alarm(failed)),
            Text(f"dead letters {count(dead)}{_shares(board.dead_letters)}", _alarm(dead)),
        ]
        if self.latency is not None:
            p50, p99 = self.latency
            parts.append(Text(f"record to prediction p50 {p50:.1f} ms, p99 {p99:.1f} ms"))
        if board.unreadable:
            parts.append(Text(f"unreadable messages {count(board.unreadable)}", BAD))
        return parts

    def _events(self, most: int) -> Iterable[Text]:
        for event in list(self.board.log)[-most:] if most > 0 else []:
            yield _line(Text.assemble((f"{moment(event.at)[5:]}  ", FAINT), sentence(event)))


def _notes(board: Board, grid: Grid, horizons: Sequence[str]) -> Text:
    """What the table itself does not say."""
    shown = [board.series[name] for name in board.names[: grid.series]]
    reasons = {(one.model, outlook.reason) for one in shown for outlook in one.outlooks.values()}
    notes = [f"{plain(model)}: {plain(why)}" for model, why in reasons if why and why != EXTRAPOLATED]
    notes.sort()
    if hidden := len(board.names) - len(shown):
        notes.insert(0, f"… {count(hidden)} more series")
    if left_out := horizons[len(grid.horizons) :]:
        notes.insert(0, f"{', '.join(left_out)}: in a wider window")
    if EXTRAPOLATED in {why for _, why in reasons}:
        notes.append("* extrapolated")
    return Text(SEPARATOR.join(notes), FAINT)


def _alarm(number: int) -> str:
    return BAD if number else ""


def _shares(counts: Counter[str]) -> str:
    """The three most frequent of several, in brackets."""
    most = ", ".join(f"{plain(name)} {count(number)}" for name, number in counts.most_common(3))
    return f" ({most})" if most else ""


def _line(text: Text) -> Text:
    """The text in one line, cut off where the console ends."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
