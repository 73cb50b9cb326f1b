"""What a model costs: seconds of a fit, microseconds of a forecast. S series that share a call."""

import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from stream_lstm.candles.files import CandleFile
from stream_lstm.evaluation.references import forecaster
from stream_lstm.features import FeatureSet
from stream_lstm.models.bank import Bank
from stream_lstm.models.market_view import MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet

CANDLES: Final = 8_760
HORIZONS: Final = (1, 4, 24, 168)
WINDOW: Final = 20
FITS: Final = 5
CALLS: Final = 200
TOGETHER: Final = 100


class Cost(NamedTuple):
    """Medians of CPU time, one thread."""

    fit_s: float
    """Seconds of a fit of one series on a year of hourly candles, its features included."""
    forecast_us: float
    """Microseconds from a market to the forecast of all horizons, of one series alone."""
    forecast_us_of_100: float
    """The same for each of 100 series in one call."""


def cost_of(model: str, file: CandleFile, to_ms: int | None) -> Cost:
    """The cost of a model on the newest year of a file that ends at `to_ms`."""
    data, kind = _year(file, to_ms), forecaster(model)
    fit_s = median(_cpu_seconds(partial(kind.fit, [data])) for _ in range(FITS))
    (fitted,) = kind.fit([data])
    if not isinstance(fitted, Model):
        raise fitted
    return Cost(fit_s, _forecast_us(fitted, data, 1), _forecast_us(fitted, data, TOGETHER))


def _cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _year(file: CandleFile, to_ms: int | None) -> TrainingSet:
    end = len(file.open_ms) if to_ms is None else int(np.searchsorted(file.open_ms, to_ms))
    part = slice(max(end - CANDLES, 0), end)
    candles = file.ohlcv[part].copy()
    candles[:, :4] /= (reference := float(candles[0, 3]))
    return TrainingSet(
        series=file.symbol,
        step_ms=file.step_ms,
        candles=candles.astype(np.float32),
        open_ms=file.open_ms[part],
        synthetic=np.zeros(len(candles), np.bool_),
        state=FeatureSet().start(),
        reference=reference,
        horizons=HORIZONS,
        seed=1,
    )


def _forecast_us(model: Model, data: TrainingSet, series: int) -> float:
    """Of one of S series with the same model and market, in one call."""
    bank, rows = Bank(forecaster), np.arange(series)
    for row in range(series):
        bank.install(row, model)
    one = _market(data)
    view = MarketView(*(getattr(one, each.name).repeat(series, axis=0) for each in fields(MarketView)))
    bank.forecast(rows, view)
    taken = [_cpu_seconds(partial(bank.forecast, rows, view)) for _ in range(CALLS)]
    return median(taken) / series * 1e6


def _market(data: TrainingSet) -> MarketView:
    """The market of one series at the close of its last candle."""
    seen = FeatureSet().run(data.state, data.candles, data.open_ms, data.step_ms)
    return MarketView(
        skip=seen.skip[-1:],
        window=seen.inputs[None, -WINDOW:],
        closes=data.candles[None, -WINDOW:, 3].astype(np.float64),
        log_base=seen.log_base[-1:],
        log_slow=seen.log_slow[-1:],
        log_ewma=seen.log_sigma[-1:],
        steps=np.array([HORIZONS], np.int64),
    )
