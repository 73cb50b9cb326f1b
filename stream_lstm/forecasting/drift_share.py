"""How much of a model's drift is said: as much as its matured past has earned beyond chance, mostly nothing.

The published location is κ times the drift m. The slope of the outcome r on m over matured forecasts,
b = Σ m·r / Σ m², is cut to 0…1 and shrunk by what chance alone would give: κ = b · max(0, 1 − 1/t²), the
positive part of James & Stein (1961), with t² = (Σ m·r)² / (h · Σ (m·r)²), since the outcomes of h candles
overlap. R series x K horizons.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

ENOUGH: Final = 2_000.0
"""Matured forecasts below which nothing of it is said."""


class DriftShare:
    """κ for every series and horizon, learned from outcomes."""

    def __init__(self, horizons: int) -> None:
        self._sums = np.zeros((4, 0, horizons))  # forecasts, Σ m·r, Σ m², Σ (m·r)²

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        _, known, horizons = self._sums.shape
        self._sums = np.concatenate([self._sums, np.zeros((4, rows - known, horizons))], axis=1)

    def begin(self, row: int) -> None:
        """Forget a series."""
        self._sums[:, row] = 0

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"sums": self._sums.transpose(1, 0, 2)}

    def read(self, rows: Index, steps: NDArray[np.int64]) -> Floats:
        """κ of S rows with horizons of `steps` (S, K) candles: (S, K)."""
        count, products, squares, variance = self._sums[:, rows]
        known = (count >= ENOUGH) & (squares > 0) & (products > 0)
        slope = np.minimum(products / np.where(known, squares, 1.0), 1.0)
        chance = steps * variance / np.where(known, products * products, 1.0)
        return np.where(known, slope * np.maximum(1.0 - chance, 0.0), 0.0)

    def update(self, rows: Index, horizons: Index, drift: Floats, moved: Floats) -> None:
        """What came, as a log return, of the drift at each of n distinct places."""
        product = drift * moved
        new = np.array([np.ones(len(drift)), product, drift * drift, product * product])
        self._sums[:, rows, horizons] += new
