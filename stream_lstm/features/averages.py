"""The state of a series' features: exponentially weighted averages, profiles, the last ranges.

A state is one float64 row of `WIDTH` numbers, all zero before the first candle; its columns are
named here once. Half-lives are in candles. An average A keeps its weight W = 1 − dⁿ beside it, so
that A / W is unbiased from the first candle on.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.features.clock import HOUR_MS, WEEK_HOURS

RANGE_SPEEDS: Final = (1, 3, 8, 24, 72, 240, 720)
VOLUME_SPEEDS: Final = (1, 24, 168, 240)
MOMENTUM_SPEEDS: Final = (6, 24)
RISKMETRICS_DECAY: Final = 0.94
"""Decay per candle of the variance of log returns (J.P. Morgan, RiskMetrics, 1996)."""

RANGE_AT: Final = dict(zip(RANGE_SPEEDS, range(0, 7), strict=True))
VOLUME_AT: Final = dict(zip(VOLUME_SPEEDS, range(7, 11), strict=True))
MOMENTUM_AT: Final = dict(zip(MOMENTUM_SPEEDS, range(11, 13), strict=True))
VARIANCE_AT: Final = 13
AVERAGES: Final = 14
RANGES: Final = slice(0, 7)
VOLUMES: Final = slice(7, 11)
MOMENTA: Final = slice(11, 13)

HOURS: Final = 24
AVERAGE: Final = slice(0, AVERAGES)
WEIGHT: Final = slice(AVERAGES, 2 * AVERAGES)
LAST_CLOSE: Final = 2 * AVERAGES
COUNT: Final = LAST_CLOSE + 1
RECENT: Final = slice(COUNT + 1, COUNT + 1 + HOURS)
"""The last 24 x, newest last."""
BY_HOUR: Final = slice(RECENT.stop, RECENT.stop + HOURS)
BY_WEEK: Final = slice(BY_HOUR.stop, BY_HOUR.stop + WEEK_HOURS)
WIDTH: Final = BY_WEEK.stop

_DAYS_OF_HOUR_PROFILE: Final = 10.0
_WEEKS_OF_WEEK_PROFILE: Final = 6.0

DECAY: Final[NDArray[np.float64]] = np.array(
    [0.5 ** (1 / half_life) for half_life in (*RANGE_SPEEDS, *VOLUME_SPEEDS, *MOMENTUM_SPEEDS)]
    + [RISKMETRICS_DECAY]
)
GAIN: Final = 1.0 - DECAY


def profile_decay(step_ms: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Decay per update of the hour-of-day and the hour-of-week profile, for candles of `step_ms`.

    Half-lives are 10 days and 6 weeks; candles shorter than an hour update their slot several times.
    """
    updates = np.maximum(1.0, HOUR_MS / step_ms)
    return np.exp2(-1.0 / (_DAYS_OF_HOUR_PROFILE * updates)), np.exp2(
        -1.0 / (_WEEKS_OF_WEEK_PROFILE * updates)
    )
