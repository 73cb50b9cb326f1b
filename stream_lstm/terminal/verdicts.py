"""What forecasts were worth, a row per model and horizon: in one table, or in two where it is narrow."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from stream_lstm.terminal.figures import UNKNOWN, plain
from stream_lstm.terminal.rows import Rows, fits

Row = Mapping[str, Any]

_NAMES: Final = ("Model", "Horizon")
_SCORES: Final = ("Winkler", "worst", "of", "vs har", "pinball", "RMSE", "Better")
_COVERAGE: Final = ("Coverage", "range", "worst hour", "worst 500")
_MEANING: Final = (
    "Winkler: interval score relative to the unit, below 1 is better; vs har: less that of har; pinball: "
    "the loss of the quantiles 5, 10, … 95%, relative to the unit. RMSE: relative to the random walk. "
    "Better: series better than the unit (Diebold–Mariano, 5%). Coverage: asked {asked}; worst 500: of "
    "forecasts in a row."
)
_SHORTEST: Final = 0.005
"""Seconds of a training that are worth telling."""
_WORDS: Final = frozenset({"Model", "Horizon", "of"})


def verdicts(summary: Sequence[Row], confidence: float, costs: Sequence[Row] = ()) -> RenderableType:
    """The rows that `evaluation.summary` makes, and what each model has cost."""
    if not summary:
        return Text("No forecast could be judged: a series needs 50 of one horizon whose time has come.")
    meaning = _MEANING.format(asked=f"{100 * confidence:.4g}%")
    return Group(_Verdicts(summary), Text(""), *map(_cost, costs), Text(meaning, "dim"))


class _Verdicts:
    def __init__(self, summary: Sequence[Row]) -> None:
        self._cells = [_cells(row) for row in summary]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = self._rows((*_NAMES, *_SCORES, *_COVERAGE))
        if fits(whole.table(), console, options):
            yield whole
            return
        yield self._rows((*_NAMES, *_SCORES))
        yield Text("")
        yield self._rows((*_NAMES, *_COVERAGE))

    def _rows(self, titles: Sequence[str]) -> Rows:
        return Rows(titles, [[cells[title] for title in titles] for cells in self._cells], _WORDS)


def _cells(row: Row) -> dict[str, str]:
    low, high = row["coverageRange"]
    beyond, stretch = row["beyondHar"], row["worst500"]
    return {
        "Model": row["model"],
        "Horizon": row["horizon"],
        "Winkler": f"{row['winklerRatio']:.4f}",
        "worst": f"{row['worstWinklerRatio']:.4f}",
        "of": plain(row["worstSymbol"]),
        "vs har": UNKNOWN if beyond is None else f"{beyond:+.4f}",
        "pinball": f"{row['pinballRatio']:.4f}",
        "RMSE": f"{row['rmseRatio']:.4f}",
        "Better": f"{row['better']}/{row['series']}",
        "Coverage": f"{row['coverage']:.1%}",
        "range": f"{low:.1%}–{high:.1%}",
        "worst hour": f"{row['worstHour']:.1%}",
        "worst 500": UNKNOWN if stretch is None else f"{stretch:.1%}",
    }


def _cost(cost: Row) -> Text:
    tried = cost["fits"] + cost["failed_fits"]
    seconds = cost["fit_seconds"] / tried if tried else 0.0
    each = f" of {seconds:.2f} s" if seconds >= _SHORTEST else ""
    failed = f", {cost['failed_fits']:,} failed" if cost["failed_fits"] else ""
    walked = f"{cost['seconds']:,.0f} s for {cost['candles']:,} candles"
    return Text(f"{cost['model']}: {tried:,} trainings{each}{failed}; {walked}")
