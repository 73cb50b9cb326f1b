"""All that an engine knows of the series of one partition, as plain values and arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.features import FeatureSet
from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.closures import Closure
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.history import Block
from stream_lstm.forecasting.messages import Answerer
from stream_lstm.forecasting.series import Series

FORMAT: Final = 2
"""Changes when an older reader would misread a state."""

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shadows:
    """E challengers, in the order of the series that have an experiment."""

    arrays: Arrays = field(default_factory=dict)
    """Columns by name: (E, …) each."""
    answerers: list[Answerer | None] = field(default_factory=list)
    """Who forecasts and has forecast, by the numbers in `arrays`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionState:
    """S series in an order that all of it shares."""

    series: list[Plain]
    """What is known of each beside the columns: numbers, texts and lists, as JSON holds them."""
    arrays: Arrays
    """Columns by name: (S, …) each."""
    answerers: list[Answerer | None]
    """Who answers and has answered, by the numbers in `arrays`."""
    histories: list[list[Block]]
    """Blocks of each, oldest first; nobody changes what they hold up to their `count`."""
    shadows: Shadows = field(default_factory=Shadows)


def fingerprint(config: EngineConfig) -> str:
    """Of all that shapes a state: one made under another fingerprint means something else."""
    shape = (config.horizons, config.max_horizon_candles, config.confidence, config.model)
    return f"{FORMAT}:{FeatureSet().fingerprint}:{shape!r}"


def described(series: Series) -> Plain:
    """A series as plain values."""
    assert series.last is not None
    return {
        "key": list(series.key),
        "firstOpen": series.first_open_ms,
        "reference": series.reference,
        "last": list(series.last[1:]),
        "count": series.count,
        "revision": series.revision,
        "scores": series.scores,
        "expires": series.expires_ms,
        "saidExpired": series.said_expired,
        "saidWarming": series.said_warming,
        "closures": [list(one) for one in series.closures.known],
        "paused": series.paused,
        "retrain": series.retrain,
        "deleted": series.deleted_ms,
        "modelType": series.model_type,
        "drifted": series.drifted,
        "driftAsked": series.drift_asked_ms,
    }


def last_candle(told: Plain) -> Closed:
    """The newest candle of a described series."""
    return Closed(SeriesKey(*told["key"]), *told["last"])


def model_ids(state: PartitionState) -> dict[SeriesKey, str]:
    """Which model answers for each series that has one."""
    return _ids(state.series, state.arrays, state.answerers)


def challenger_ids(state: PartitionState) -> dict[SeriesKey, str]:
    """Which model is the challenger of each series that has one."""
    running = [told for told in state.series if "experiment" in told]
    return _ids(running, state.shadows.arrays, state.shadows.answerers) if running else {}


def _ids(
    series: Sequence[Plain], arrays: Arrays, answerers: Sequence[Answerer | None]
) -> dict[SeriesKey, str]:
    whose = (answerers[number] for number in arrays["answerer"].tolist())
    return {
        SeriesKey(*told["key"]): answerer.id
        for told, answerer in zip(series, whose, strict=True)
        if answerer is not None and answerer.id is not None
    }


def take_up(series: Series, told: Plain, blocks: Sequence[Block]) -> None:
    """Let a series that has just begun be the one that was described."""
    series.first_open_ms = told["firstOpen"]
    series.reference = told["reference"]
    series.last = last_candle(told)
    series.count = told["count"]
    series.revision = told["revision"]
    series.scores = told["scores"]
    series.expires_ms = told["expires"]
    series.said_expired = told["saidExpired"]
    series.said_warming = told["saidWarming"]
    series.closures.known = [Closure(*one) for one in told["closures"]]
    series.paused = told.get("paused", False)  # not told by versions that could not pause
    series.retrain = told.get("retrain", False)
    series.deleted_ms = told.get("deleted")
    series.model_type = told.get("modelType", series.model_type)  # not told before there were experiments
    series.drifted = told.get("drifted", False)
    series.drift_asked_ms = told.get("driftAsked")
    series.history.restore(blocks)
