"""How well each series' forecasts have done lately: coverage, accuracy and skill over matured predictions.

Sums are forgotten with a half-life of 500 scores, so that they describe the recent past of this series
and horizon.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

HALF_LIFE: Final = 500.0
ENOUGH: Final = 10.0
"""Scores below which a ratio is not known yet."""

_DECAY: Final = 0.5 ** (1.0 / HALF_LIFE)


class Record(NamedTuple):
    """(S, K) each; NaN where there are fewer than `ENOUGH` scores."""

    coverage: Floats
    """Share of intervals that held the outcome."""
    accuracy: Floats
    """1 − MAPE."""
    skill: Floats
    """1 − RMSE / RMSE of the random walk."""
    bias: Floats
    """Mean error over mean |error|; 0 is unbiased."""
    winkler: Floats
    """Winkler score of the intervals over that of the naive ones; below 1 is better."""


class Errors(NamedTuple):
    """Means over matured predictions of S series and K horizons, (S, K) each; NaN where not known."""

    absolute: Floats
    """|error|, as a fraction of the last close."""
    root_square: Floats
    """Root of error², as a fraction of the last close."""
    percentage: Floats
    """|error| as a fraction of the actual price."""
    explained: Floats
    """1 − error² / (actual − last close)²: R² of the move, against no move."""


def unknown_coverage(record: Record) -> Record:
    """A record for intervals of another confidence: nobody has counted what they held."""
    unknown = np.full(record.coverage.shape, np.nan)
    return record._replace(coverage=unknown, winkler=unknown)


class TrackRecord:
    """R series x K horizons."""

    def __init__(self, horizons: int) -> None:
        # Scores, inside, |error|/actual, error², (actual − last close)², error, |error|, both Winkler.
        self._sums = np.zeros((0, horizons, 9))

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more = np.zeros((rows - len(self._sums), *self._sums.shape[1:]))
        self._sums = np.concatenate([self._sums, more])

    def begin(self, row: int) -> None:
        """Forget a series."""
        self._sums[row] = 0

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"sums": self._sums}

    def update(
        self, rows: Index, horizons: Index, inside: NDArray[np.bool_], outcome: Floats, winkler: Floats
    ) -> None:
        """One matured prediction at each of n distinct places.

        `outcome` (3, n) is the predicted, the actual and the last close; `winkler` (2, n) the score of the
        interval and that of the naive one.
        """
        predicted, actual, close = outcome
        error = actual - predicted
        relative = 1.0 / close  # errors in units of the price, so that a trend does not weigh them
        scaled = error * relative
        walk = ((actual - close) * relative) ** 2
        ape, (own, naive) = np.abs(error) / actual, winkler * relative
        new = (np.ones(len(error)), inside, ape, scaled**2, walk, scaled, np.abs(scaled), own, naive)
        self._sums[rows, horizons] = self._sums[rows, horizons] * _DECAY + np.stack(new, axis=1)

    def read(self, rows: Index) -> Record:
        """The ratios of S series."""
        scores, inside, ape, square, walk, error, absolute, own, naive = self._columns(rows)
        known = scores >= ENOUGH
        count = np.where(known, scores, np.nan)
        moved = np.where(known & (walk > 0), walk, np.nan)
        erred = np.where(known & (absolute > 0), absolute, np.nan)
        wide = np.where(known & (naive > 0), naive, np.nan)
        return Record(
            inside / count, 1.0 - ape / count, 1.0 - np.sqrt(square / moved), error / erred, own / wide
        )

    def errors(self, rows: Index) -> Errors:
        """How far off S series were."""
        scores, _, ape, square, walk, _, absolute, _, _ = self._columns(rows)
        count = np.where(scores >= ENOUGH, scores, np.nan)
        moved = np.where((scores >= ENOUGH) & (walk > 0), walk, np.nan)
        return Errors(absolute / count, np.sqrt(square / count), ape / count, 1.0 - square / moved)

    def _columns(self, rows: Index) -> tuple[Floats, ...]:
        return tuple(np.moveaxis(self._sums[rows], -1, 0))
