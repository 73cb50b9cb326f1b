"""What changes a series and is no candle: from a position on, by its kind."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from stream_lstm.candles.series import SeriesKey
from stream_lstm.forecasting import seats
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.experiments import RESULT
from stream_lstm.forecasting.outputs import Role, Seat
from stream_lstm.forecasting.trial import Plan
from stream_lstm.models.model import Model

TRAINED: Final = "model.trained"
DELETED: Final = "model.deleted"
RETRAIN: Final = "model.retrain_requested"
PAUSED: Final = "series.paused"
RESUMED: Final = "series.resumed"
STARTED: Final = "experiment.started"
STOPPED: Final = "experiment.stopped"
KINDS: Final = frozenset({TRAINED, DELETED, RETRAIN, PAUSED, RESUMED, STARTED, STOPPED, RESULT})
"""The facts that an engine understands; those of a newer version pass it by."""
CONCLUDED: Final = frozenset({RESULT})
"""Those that an engine comes to by itself, at live candles."""


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
    """Of `TRAINED`: the one that answers, or is the challenger."""
    body: Mapping[str, Any] = MappingProxyType({})
    """What the fact says."""

    @property
    def seat(self) -> Seat:
        """Of `TRAINED`: whose model it is."""
        return Seat(self.series, role_of(self.body))


def role_of(body: Mapping[str, Any]) -> Role:
    """Whose model a `TRAINED` fact is about."""
    return "challenger" if body.get("role") == "challenger" else "champion"


def apply(engine: Engine, change: Change) -> bool:
    """Let a change take effect now; false if the engine does not know the series."""
    if change.kind == TRAINED:
        assert change.model is not None
        return seats.install(engine, change.seat, change.model)
    if change.kind == DELETED:
        return engine.remove_model(change.series)
    if change.kind == RETRAIN:
        return engine.retrain(change.series)
    if change.kind in (STARTED, STOPPED, RESULT):
        return _apply_to_experiment(engine, change)
    return engine.pause(change.series, change.kind == PAUSED)


def _apply_to_experiment(engine: Engine, change: Change) -> bool:
    series = engine.series(change.series)
    if series is None:
        return False
    if change.kind == STARTED:
        engine.experiments.start(series, Plan.of(dict(change.body)))
    else:
        told = {name: value for name, value in change.body.items() if name != "commandId"}
        engine.experiments.conclude(series, told)
    return True
