"""Whether one forecaster is better than another, or by chance."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEWEST: Final = 50
_RESAMPLINGS: Final = 500
_SPAN: Final = (0.05, 0.95)


class Verdict(NamedTuple):
    """A Diebold–Mariano test; negative: the first forecaster loses less."""

    statistic: float
    p_value: float
    """Two-sided, normal."""


class Between(NamedTuple):
    """A number, and where nine of ten resamplings of the forecasts put it."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled: Floats) -> "Between":
        """A number with the span of its resampled values."""
        low, high = np.quantile(resampled, _SPAN)
        return cls(value, float(low), float(high))


def ratios_by_chance(ours: Floats, theirs: Floats, steps: int) -> Floats:
    """Ratios of mean losses (N,) of forecasts of `steps` candles, over 500 resamplings of both: (500,).

    Circular block bootstrap of Politis & Romano (1992): blocks of max(2h, N^(1/3)) forecasts in a row, so
    that those which overlap stay together. The draws are the same in every call.
    """
    count = len(ours)
    block = min(count, max(2 * steps, math.ceil(count ** (1 / 3))))
    starts = np.random.default_rng(0).integers(count, size=(_RESAMPLINGS, -(-count // block)))
    above, below = (_block_sums(losses, block)[starts].sum(axis=1) for losses in (ours, theirs))
    ratios: Floats = above / below
    return ratios


def _block_sums(losses: Floats, block: int) -> Floats:
    """Sum of the `block` losses from each on, the first following the last: (N,)."""
    sums = np.cumsum(np.concatenate([[0.0], losses, losses[:block]]))
    of_blocks: Floats = sums[block : block + len(losses)] - sums[: len(losses)]
    return of_blocks


def diebold_mariano(difference: Floats, steps: int) -> Verdict | None:
    """Whether the mean of a loss difference (N,) is zero, for forecasts of `steps` candles that overlap.

    Diebold & Mariano (1995, JBES 13) with Bartlett weights (Newey & West 1987) over max(2(h − 1),
    4(N/100)^(2/9)) lags and the correction of Harvey, Leybourne & Newbold (1997). None below 50 forecasts, or
    where the differences do not vary.
    """
    count = len(difference)
    if count < _FEWEST:
        return None
    lags = min(count - 2, max(2 * (steps - 1), math.floor(4 * (count / 100) ** (2 / 9))))
    centred = difference - difference.mean()
    variance = float(centred @ centred) / count
    for lag in range(1, lags + 1):
        weight = 2 * (1 - lag / (lags + 1))
        variance += weight * float(centred[lag:] @ centred[:-lag]) / count
    if not variance > 0:
        return None
    correction = max(1e-9, (count + 1 - 2 * steps + steps * (steps - 1) / count) / count)
    statistic = float(difference.mean()) / math.sqrt(variance / count) * math.sqrt(correction)
    return Verdict(statistic, math.erfc(abs(statistic) / math.sqrt(2)))
