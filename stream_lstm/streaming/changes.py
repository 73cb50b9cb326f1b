"""What changes a series and is no candle: from a position on, by its kind."""

from typing import Final, NamedTuple

from stream_lstm.candles.series import SeriesKey
from stream_lstm.forecasting.engine import Engine
from stream_lstm.models.model import Model

TRAINED: Final = "model.trained"
DELETED: Final = "model.deleted"
RETRAIN: Final = "model.retrain_requested"
PAUSED: Final = "series.paused"
RESUMED: Final = "series.resumed"
KINDS: Final = frozenset({TRAINED, DELETED, RETRAIN, PAUSED, RESUMED})
"""The facts that an engine understands; those of a newer version pass it by."""


class Position(NamedTuple):
    """Between two closed candles: the record that comes next, and how many candles it has given already."""

    offset: int
    candles: int


class Change(NamedTuple):
    """What holds for a series from a position on."""

    at: Position
    series: SeriesKey
    kind: str
    model: Model | None = None
    """Of `TRAINED`: the one that answers."""


def apply(engine: Engine, change: Change) -> bool:
    """Let a change take effect now; false if the engine does not know the series."""
    if change.kind == TRAINED:
        assert change.model is not None
        return engine.install(change.series, change.model)
    if change.kind == DELETED:
        return engine.remove_model(change.series)
    if change.kind == RETRAIN:
        return engine.retrain(change.series)
    return engine.pause(change.series, change.kind == PAUSED)
