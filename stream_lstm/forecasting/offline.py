"""A forecast from a file of candles, without a stream: the same engine, one model trained at the end."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.errors import TrainingFailed
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Prediction
from stream_lstm.models.registry import fit

_PLACE: Final = "file"


def closed_candles(
    series: SeriesKey, step_ms: int, open_ms: NDArray[np.int64], ohlcv: NDArray[np.float64]
) -> Iterator[Closed]:
    """The rows of columns (N,) and (N, 5) as closed candles."""
    for opened, row in zip(open_ms.tolist(), ohlcv.tolist(), strict=True):
        yield Closed(series, step_ms, opened, *row)


def predict_last(config: EngineConfig, candles: list[Closed], now_ms: int) -> list[Prediction]:
    """The predictions at the last candle, by a model trained on all candles before it.

    Raises `TrainingFailed` if there are too few candles since the last long gap.
    """
    engine = Engine(config)
    for candle in candles[:-1]:
        engine.admit(_PLACE, candle, None, live=False)
        engine.advance(now_ms)
    last = candles[-1]
    data = engine.training_set(last.series)
    if data is not None:
        engine.install(last.series, fit(config.model, [data])[0])
    elif config.model not in ("hybrid", "naive"):
        series = engine.series(last.series)
        count = series.count if series else 0
        raise TrainingFailed(
            f"{last.series}: {count} candles since the last long gap are too few to train {config.model}; "
            f"give at least {config.warm_up + 1}, or --model hybrid, which needs no training"
        )
    engine.admit(_PLACE, last, None, live=True)
    said = engine.advance(now_ms).get(_PLACE)
    return said.predictions if said else []
