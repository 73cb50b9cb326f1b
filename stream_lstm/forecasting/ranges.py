"""How far high and low will be apart over a horizon, calibrated on how far they were.

The range of h candles, as a fraction of the last close, over the scale that was forecast has a mean and a
quantile 0.9, both followed online per series and horizon. R series x K horizons.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.quantile_tracker import QuantileTracker

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

LEVEL: Final = 0.9
ENOUGH: Final = 100.0
"""Matured ranges below which nothing is told."""
HALF_LIFE: Final = 1_000.0

_DECAY: Final = 0.5 ** (1.0 / HALF_LIFE)
_BROWNIAN_Q90: Final = 2.24
"""Of the range of a Brownian motion over its deviation: Feller (1951, Annals of Math. Statistics 22)."""


class RangeForecast(NamedTuple):
    """(S, K) each, as fractions of the last close; NaN where not known yet."""

    expected: Floats
    q90: Floats
    """Exceeded one time in ten."""


class RangeCalibrators:
    """The mean and the quantile of range / scale."""

    def __init__(self, horizons: int) -> None:
        self._sums = np.zeros((0, horizons, 2))  # weight, range / scale
        self._high = QuantileTracker(horizons, LEVEL, _BROWNIAN_Q90)

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more = np.zeros((rows - len(self._sums), *self._sums.shape[1:]))
        self._sums = np.concatenate([self._sums, more])
        self._high.grow(rows)

    def begin(self, row: int, steps: tuple[int, ...]) -> None:
        """Forget a series; its horizons have `steps` candles."""
        self._sums[row] = 0
        self._high.begin(row, steps)

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"sums": self._sums, **self._high.by_row()}

    def update(self, rows: Index, horizons: Index, ratio: Floats) -> None:
        """One matured range / scale at each of n distinct places."""
        new = np.stack([np.ones(len(ratio)), ratio], axis=1)
        self._sums[rows, horizons] = self._sums[rows, horizons] * _DECAY + new
        self._high.update(rows, horizons, ratio > self._high.read(rows)[np.arange(len(rows)), horizons])

    def forecast(self, rows: Index, scale: Floats) -> RangeForecast:
        """The ranges of S rows whose scales are (S, K)."""
        weight, total = np.moveaxis(self._sums[rows], -1, 0)
        known = self._high.count(rows) >= ENOUGH
        expected = np.where(known, total / np.where(known, weight, 1.0), np.nan) * scale
        return RangeForecast(expected, np.maximum(self._high.read(rows) * scale, expected))
