"""How far a share may be from its probability by chance alone, where outcomes overlap."""

from math import lgamma, log
from typing import Final

import numpy as np

SURE: Final = 0.95
"""Share of the shares of a true forecaster that lie in `chance_band`."""


def independent(forecasts: int, steps: int) -> int:
    """How many of the forecasts of `steps` candles, one at every candle, do not overlap: at least one.

    >>> independent(500, 1), independent(500, 168)
    (500, 2)
    """
    return max(1, forecasts // steps)


def chance_band(probability: float, count: int) -> tuple[float, float]:
    """Between which shares `count` independent outcomes of that probability lie in 95 of 100 cases.

    The quantiles at 2.5 and 97.5% of the binomial distribution, over `count`. Overlapping forecasts are given
    as `independent` ones: that is on the safe side, since the outcomes between tell something too.

    >>> chance_band(0.9, 500), chance_band(0.9, 2)
    ((0.872, 0.926), (0.5, 1.0))
    """
    successes = np.arange(count + 1)
    logs = np.array([lgamma(count + 1) - lgamma(k + 1) - lgamma(count - k + 1) for k in range(count + 1)])
    logs += successes * log(probability) + (count - successes) * log(1 - probability)
    reached = np.cumsum(np.exp(logs))
    low, high = np.searchsorted(reached, [(1 - SURE) / 2, (1 + SURE) / 2])
    return float(low / count), float(min(high, count) / count)
