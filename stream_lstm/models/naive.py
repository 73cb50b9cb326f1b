"""`naive`: the last close with EWMA(0.94) volatility, the yardstick of every metric. Nothing is fitted."""

from typing import Final

import numpy as np

from stream_lstm.models.live import ModelType, Untrained, one_by_one
from stream_lstm.models.market_view import BankForecast, MarketView
from stream_lstm.models.model import Model, fitted
from stream_lstm.models.training_set import TrainingSet

NAME: Final = "naive"


def fit(data: TrainingSet) -> Model:
    """A model without arrays: every horizon is answered from the market alone."""
    return fitted(NAME, data, data.horizons, {}, {})


def forecast(view: MarketView) -> BankForecast:
    """Location 0, scale σ·√h (RiskMetrics, J.P. Morgan 1996)."""
    scale = view.log_ewma[:, None] + 0.5 * np.log(np.maximum(view.steps, 1))
    return BankForecast.around_last_close(scale, (view.steps > 0).sum(axis=1))


TYPE: Final = ModelType(NAME, one_by_one(fit), lambda model: Untrained(forecast))
