"""Experiments as tables and sentences, within 80 columns."""

from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from stream_lstm.contracts.experiment import ExperimentList, ExperimentRow, ExperimentSeries
from stream_lstm.contracts.wire import OfSeries
from stream_lstm.terminal.figures import UNKNOWN, plain
from stream_lstm.terminal.rows import plain_table

_FAINT: Final = "dim"
_COLOURS: Final = {"promoted": "green", "rejected": "red", "failed": "red", "running": "bold"}
_FEW: Final = 5
"""Series that a sentence names."""


def listed(told: ExperimentList) -> RenderableType:
    """A row per series: what is tried, how far it is, and what speaks for and against it."""
    if not told.experiments:
        return Text("There is no experiment.")
    grid = plain_table()
    for title in ("Id", "Series", "Tried", "State"):
        grid.add_column(title)
    for title in ("Candles", "Better", "Worse", "Gain"):
        grid.add_column(title, justify="right")
    for row in told.experiments:
        grid.add_row(
            plain(row.experiment_id),
            _name(row),
            plain(row.challenger),
            Text(row.outcome, _COLOURS.get(row.outcome, "")),
            f"{row.candles:,}",
            *_evidence(row),
        )
    meant = (
        "Better, Worse: evidence at the shortest horizon; decided at 1/alpha, 20 for 5%.\n"
        "Gain: how much lower the challenger's mean Winkler score is there."
    )
    return Group(grid, Text(f"{told.count} experiments", _FAINT), Text(meant, _FAINT))


def started(told: ExperimentSeries) -> RenderableType:
    """Where it runs now."""
    return Text(f"experiment {told.experiment_id}: {told.challenger} is tried on {_series(told)}")


def stopped(told: ExperimentSeries) -> RenderableType:
    """Where it runs no more."""
    return Text(f"experiment {told.experiment_id} is stopped on {_series(told)}; who answers stays")


def summary(row: ExperimentRow | None) -> str:
    """One experiment in a line of `describe`."""
    if row is None:
        return UNKNOWN
    better, worse, _ = _evidence(row)
    return (
        f"{plain(row.challenger)} {row.outcome}, {row.candles:,} candles, evidence {better} better, "
        f"{worse} worse ({plain(row.experiment_id)})"
    )


def _evidence(row: ExperimentRow) -> tuple[str, str, str]:
    if not row.horizons:
        return UNKNOWN, UNKNOWN, UNKNOWN
    first = row.horizons[0]
    gain = UNKNOWN
    if first.difference is not None and first.winkler:
        gain = f"{first.difference / first.winkler:+.1%}"
    return f"{first.e_better:.3g}", f"{first.e_worse:.3g}", gain


def _series(told: ExperimentSeries) -> str:
    names = ", ".join(map(_name, told.series[:_FEW]))
    return names if told.count <= _FEW else f"{told.count:,} series: {names}, …"


def _name(series: OfSeries) -> str:
    return plain(f"{series.exchange} {series.symbol} {series.interval}")
