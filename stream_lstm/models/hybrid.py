"""`hybrid`: the trend of 20 closes, shrunk, with EWMA volatility: answers where no model is trained yet."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.models import naive
from stream_lstm.models.live import ModelType, Untrained, one_by_one
from stream_lstm.models.market_view import BankForecast, MarketView
from stream_lstm.models.model import Model, fitted
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]

NAME: Final = "hybrid"
SHRINKAGE: Final = 0.05
"""Part of the trend that is believed: markets hardly have one."""
REACH: Final = 20.0
"""Candles after which a trend has died out: h steps ahead it has gone REACH·(1 − exp(−h/REACH)) steps."""
SMOOTHING: Final = 0.2


def fit(data: TrainingSet) -> Model:
    """A model without arrays: every horizon is answered from the market alone."""
    return fitted(NAME, data, data.horizons, {}, {"shrinkage": SHRINKAGE, "smoothing": SMOOTHING})


def forecast(view: MarketView) -> BankForecast:
    """Location from the trend, at most half a scale away from the last close; scale as `naive`."""
    wide = naive.forecast(view)
    reach = REACH * -np.expm1(-view.steps / REACH)
    drift = SHRINKAGE * trend(view.closes)[:, None] * reach
    limit = 0.5 * np.exp(wide.log_scale)
    return replace(wide, location=np.clip(drift, -limit, limit))


def trend(closes: Floats) -> Floats:
    """Log return per candle: mean of the regression slope of ln close and its smoothed return; (S, T) → (S,).

    Smoothing is Brown's (1956) simple exponential smoothing of the log returns.
    """
    log_closes = np.log(np.maximum(closes, np.finfo(np.float64).tiny))
    at = np.arange(closes.shape[1]) - (closes.shape[1] - 1) / 2
    weights = SMOOTHING * (1 - SMOOTHING) ** np.arange(closes.shape[1] - 1)[::-1]
    slope = (log_closes * at).sum(axis=1) / (at @ at)
    smoothed = (np.diff(log_closes, axis=1) * weights).sum(axis=1) / weights.sum()
    trend: Floats = (slope + smoothed) / 2
    return trend


TYPE: Final = ModelType(NAME, one_by_one(fit), lambda model: Untrained(forecast))
