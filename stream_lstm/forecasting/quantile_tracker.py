"""A quantile of a stream in one number per place: for what is worth no histogram of its own.

The logarithm of the estimate rises by γ·level with every value above it and falls by γ·(1 − level) with
every other (Robbins & Monro, 1951, Annals of Mathematical Statistics 22). Values of h overlapping candles
come in clusters, so γ shrinks with √h; the first ones move it further. R series x K horizons.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

GAIN: Final = 0.02
_FIRST: Final = 10.0
"""The first values move the estimate as if there had been so many independent ones."""


class QuantileTracker:
    """Follows the quantile at `level`, beginning at `start`."""

    def __init__(self, horizons: int, level: float, start: float) -> None:
        self._level = level
        self._start = float(np.log(start))
        self._log = np.zeros((0, horizons))
        self._count = np.zeros((0, horizons))
        self._steps = np.ones((0, horizons))

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        for name in ("_log", "_count", "_steps"):
            column = getattr(self, name)
            more = np.ones((rows - len(column), column.shape[1]))
            setattr(self, name, np.concatenate([column, more]))

    def begin(self, row: int, steps: tuple[int, ...]) -> None:
        """Start a series with horizons of `steps` candles."""
        self._log[row], self._count[row] = self._start, 0
        self._steps[row, : len(steps)] = steps

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"log": self._log, "count": self._count, "steps": self._steps}

    def read(self, rows: Index) -> Floats:
        """The estimates of S rows: (S, K)."""
        estimate: Floats = np.exp(self._log[rows])
        return estimate

    def count(self, rows: Index) -> Floats:
        """How many values there were: (S, K)."""
        count: Floats = self._count[rows]
        return count

    def update(self, rows: Index, horizons: Index, above: NDArray[np.bool_]) -> None:
        """Whether the next value was above the estimate of its time, at each of n distinct places."""
        steps, count = self._steps[rows, horizons], self._count[rows, horizons]
        gain = np.maximum(GAIN, 1.0 / (_FIRST + count / steps)) / np.sqrt(steps)
        self._log[rows, horizons] += gain * (above - (1.0 - self._level))
        self._count[rows, horizons] = count + 1
