"""A forecast from a file of candles, without a stream: the same engine, one model trained at the end."""

from dataclasses import replace
from typing import Final

import numpy as np

from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.errors import TrainingFailed
from stream_lstm.forecasting.admission import bridges_gap
from stream_lstm.forecasting.closures import Closure, Closures
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Prediction
from stream_lstm.models.model import Model
from stream_lstm.models.registry import fit

_PLACE: Final = "file"
_UNTRAINED: Final = "hybrid"


def predict_file(config: EngineConfig, file: CandleFile, exchange: str, now_ms: int) -> list[Prediction]:
    """The predictions at the last candle of a file, by a model trained on the candles before it.

    It sees the last `history_candles` since the last long gap. Raises `TrainingFailed` if they are too few.
    """
    *past, last = _candles(config, file, exchange)
    if len(past) < config.warm_up:
        raise TrainingFailed(
            f"{last.series}: {len(past) + 1} candles since the last long gap, and a forecast needs "
            f"{config.warm_up + 1}: give a longer file"
        )
    # Answers along the way would be thrown away: so the engine warms up until the last one.
    engine = Engine(replace(config, warm_up=len(past)))
    for candle in past:
        engine.admit(_PLACE, candle, None, live=False)
        engine.advance(now_ms)
    if config.model != _UNTRAINED:
        engine.install(last.series, _trained(engine, config, last.series))
    engine.admit(_PLACE, last, None, live=True)
    return engine.advance(now_ms)[_PLACE].predictions


def _trained(engine: Engine, config: EngineConfig, key: SeriesKey) -> Model:
    data = engine.training_set(key)
    if data is None:
        raise TrainingFailed(
            f"{key}: no horizon that {config.model} could learn from so few candles; give a longer file, add "
            "a shorter horizon to `horizons`, or set `model` to hybrid"
        )
    return fit(config.model, [data])[0]


def _candles(config: EngineConfig, file: CandleFile, exchange: str) -> list[Closed]:
    """The candles since the last gap that begins a series anew, at most what a history holds and one."""
    closures, first = Closures(), max(0, len(file.open_ms) - config.history_candles - 1)
    for at in np.flatnonzero(np.diff(file.open_ms) > file.step_ms).tolist():
        gap = Closure(int(file.open_ms[at]) + file.step_ms, int(file.open_ms[at + 1]))
        bridge = bridges_gap(config, file.step_ms, gap, closures)
        if bridge is None:
            first = max(first, at + 1)
        if bridge != "fill":
            closures.note(gap)
    key = SeriesKey(exchange, file.symbol, file.interval)
    rows = zip(file.open_ms[first:].tolist(), file.ohlcv[first:].tolist(), strict=True)
    return [Closed(key, file.step_ms, open_ms, *row) for open_ms, row in rows]
