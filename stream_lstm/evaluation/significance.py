"""Whether one forecaster is better than another, or by chance."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEWEST = 50


class Verdict(NamedTuple):
    """A Diebold–Mariano test; negative: the first forecaster loses less."""

    statistic: float
    p_value: float
    """Two-sided, normal."""


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
