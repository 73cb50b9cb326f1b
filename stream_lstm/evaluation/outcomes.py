"""Forecasts of a track set beside what came, and beside the unit: those that can be judged."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.track import Track
from stream_lstm.evaluation.yardstick import Yardstick
from stream_lstm.forecasting.scoring import winkler_score

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


class Outcomes(NamedTuple):
    """N judged forecasts, in the order of time. Prices and scores in units of the last close."""

    track: Track
    measure: Yardstick
    origin: Index
    """(N,) row of the last candle that was known."""
    at: Index
    """(N,) place in the track."""
    actual: Floats
    predicted: Floats
    lower: Floats
    upper: Floats
    score: Floats
    """(N,) interval score of the forecasts."""
    unit_score: Floats
    """(N,) of the unit."""

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(N,) whether the outcome was in the interval."""
        return (self.actual >= self.lower) & (self.actual <= self.upper)

    @property
    def error(self) -> Floats:
        """(N,) log of what came over what was predicted."""
        error: Floats = np.log(self.actual / self.predicted)
        return error

    @property
    def half_widths(self) -> Floats:
        """(N, 9) in log price, of the intervals with `COVERAGES`."""
        return self.track.half_widths[self.at]


def outcomes_of(track: Track, measure: Yardstick) -> Outcomes:
    """Those whose target candle is in the file by the clock, where the unit is known at their origin."""
    candles = measure.candles
    origin = np.searchsorted(candles.open_ms, track.as_of + 1 - candles.step_ms)
    at = np.flatnonzero((measure.targets[origin] >= 0) & np.isfinite(measure.half_width[origin]))
    origin = origin[at]
    close, half = track.last_close[at], measure.half_width[origin]
    actual = candles.ohlcv[measure.targets[origin], 3] / candles.ohlcv[origin, 3]
    predicted, lower, upper = (price[at] / close for price in (track.predicted, track.lower, track.upper))
    return Outcomes(
        track,
        measure,
        origin,
        at,
        actual,
        predicted,
        lower,
        upper,
        score=winkler_score(lower, upper, actual, track.confidence),
        unit_score=winkler_score(np.exp(-half), np.exp(half), actual, track.confidence),
    )
