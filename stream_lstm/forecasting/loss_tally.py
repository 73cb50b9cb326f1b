"""What two forecasters have lost side by side: means, coverage, the Diebold–Mariano test, in bounded memory.

The variance of a mean of overlapping, dependent differences is that of sums over blocks (batch means:
Carlstein 1986, Annals of Statistics 14; Glynn & Whitt 1991, Operations Research Letters 10): an estimate of
the long-run variance, as that of Newey & West with Bartlett weights over as many lags as a block is long. A
block begins with h differences, so that no lag below h is left out; when 64 are full, each two become one.
R series x K horizons.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

BLOCKS: Final = 64
_FEWEST: Final = 16
"""Full blocks below which nothing is said of the variance."""


class DieboldMariano(NamedTuple):
    """Diebold & Mariano's (1995, JBES 13) test of a mean difference of zero."""

    statistic: float
    """Above 0: the second forecaster loses less."""
    p_value: float
    """Two-sided, normal."""


class Told(NamedTuple):
    """The tally of one series and horizon; a loss is a Winkler score as a fraction of the last close."""

    outcomes: int
    loss: tuple[float, float]
    """Mean of the first and of the second forecaster."""
    coverage: tuple[float, float]
    test: DieboldMariano | None


class LossTally:
    """Sums over matured pairs of forecasts."""

    def __init__(self, horizons: int) -> None:
        self._sums = np.zeros((0, horizons, 5))  # pairs, both losses, both inside
        self._blocks = np.zeros((0, horizons, BLOCKS))
        self._length = np.ones((0, horizons), np.int64)

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more = rows - len(self._sums)
        self._sums = np.concatenate([self._sums, np.zeros((more, *self._sums.shape[1:]))])
        self._blocks = np.concatenate([self._blocks, np.zeros((more, *self._blocks.shape[1:]))])
        self._length = np.concatenate([self._length, np.ones((more, self._length.shape[1]), np.int64)])

    def begin(self, row: int, steps: tuple[int, ...]) -> None:
        """Forget a series; its horizons have `steps` candles."""
        self._sums[row], self._blocks[row] = 0.0, 0.0
        self._length[row, : len(steps)] = steps

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"sums": self._sums, "blocks": self._blocks, "length": self._length}

    def update(self, rows: Index, horizons: Index, loss: Floats, inside: NDArray[np.bool_]) -> None:
        """One pair at each of n distinct places: `loss` and `inside` (2, n) of both forecasters."""
        block = self._sums[rows, horizons, 0].astype(np.int64) // self._length[rows, horizons]
        full = block == BLOCKS
        if full.any():
            at = (rows[full], horizons[full])
            pairs = self._blocks[at].reshape(-1, BLOCKS // 2, 2).sum(axis=2)
            self._blocks[at] = np.concatenate([pairs, np.zeros_like(pairs)], axis=1)
            self._length[at] *= 2
            block[full] = BLOCKS // 2
        self._blocks[rows, horizons, block] += loss[0] - loss[1]
        self._sums[rows, horizons] += np.stack([np.ones(len(rows)), *loss, *inside], axis=1)

    def read(self, row: int, horizon: int) -> Told | None:
        """The tally of one series and horizon; None without a pair."""
        count, first, second, inside_first, inside_second = self._sums[row, horizon].tolist()
        if not count:
            return None
        return Told(
            int(count),
            (first / count, second / count),
            (inside_first / count, inside_second / count),
            self._test(row, horizon, int(count)),
        )

    def _test(self, row: int, horizon: int, count: int) -> DieboldMariano | None:
        length = int(self._length[row, horizon])
        blocks = self._blocks[row, horizon, : count // length]
        if len(blocks) < _FEWEST or not (deviation := float(blocks.std(ddof=1))) > 0:
            return None
        statistic = float(blocks.mean()) / deviation * math.sqrt(len(blocks))
        return DieboldMariano(statistic, math.erfc(abs(statistic) / math.sqrt(2)))
