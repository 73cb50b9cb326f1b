"""What every live forecaster is given, and what it gives back. S series, T = 20 candles, K horizons."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class MarketView:
    """The market at the close of a candle of S series: arrays aligned with the rows of one call."""

    skip: Floats
    """(S, P) skip features."""
    window: NDArray[np.float32] | Floats
    """(S, T, F) raw LSTM inputs, oldest first."""
    closes: Floats
    """(S, T) closes as ratios to the series' reference price, oldest first."""
    log_base: Floats
    """(S,) log volatility per candle at half-life 24."""
    log_slow: Floats
    """(S,) the same at half-life 720."""
    log_ewma: Floats
    """(S,) log of the EWMA(0.94) deviation of log returns per candle."""
    steps: NDArray[np.int64]
    """(S, K) horizons of each row in candles, ascending; 0 where a row has fewer."""

    def take(self, at: Index) -> "MarketView":
        """The view of some of its rows."""
        return MarketView(*(getattr(self, field.name)[at] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class BankForecast:
    """Location and scale for each horizon, before calibration. Where `steps` is 0 they mean nothing."""

    location: Floats
    """(S, K) log of predicted price / last close."""
    drift: Floats
    """(S, K) log return beyond the location that is worth trying: said as far as it has proved right."""
    log_scale: Floats
    """(S, K) log of the scale of the return over the whole horizon."""
    heads: NDArray[np.int64]
    """(S,) leading horizons with a head of their own; longer ones are extrapolated from the last of them."""

    @classmethod
    def around_last_close(cls, log_scale: Floats, heads: NDArray[np.int64]) -> "BankForecast":
        """The random walk with a scale."""
        return cls(np.zeros(log_scale.shape), np.zeros(log_scale.shape), log_scale, heads)
