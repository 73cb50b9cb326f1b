"""What the calendar says about the candle that is about to start. All vectorised over rows (N,)."""

from bisect import bisect_right
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
WEEK_HOURS: Final = 168
WEEK_MS: Final = WEEK_HOURS * HOUR_MS
CLOCK_COLUMNS: Final = 13
_AHEAD: Final = np.arange(1, 25)

# 1970-01-01 was a Thursday: three days after a Monday.
_MONDAY_SHIFT: Final = 3
_LAST_YEAR: Final = 2200


def hour_slot(open_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hour of day in UTC, 0…23, of the candle that opens at `open_ms`."""
    return open_ms // HOUR_MS % 24


def week_slot(open_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hour of week in UTC, 0…167, Monday first, of the candle that opens at `open_ms`."""
    return (open_ms // HOUR_MS + 24 * _MONDAY_SHIFT) % WEEK_HOURS


class Calendar(NamedTuple):
    """What the calendar says of candles that open at given times: N rows, or one that holds for all."""

    hour: NDArray[np.int64]
    """(N,) slot of the candle itself in the hour-of-day profile."""
    week: NDArray[np.int64]
    """(N,) the same of the week."""
    next_hour: NDArray[np.int64]
    """(N,) hour of day of the candle after it."""
    ahead: NDArray[np.int64]
    """(N, 24) hours of week of the 24 candles after it."""
    clocks: NDArray[np.float64]
    """(N, 13) clock columns of the candle after it."""


def calendar(open_ms: NDArray[np.int64], step_ms: NDArray[np.int64]) -> Calendar:
    """The calendar of candles (N,) that open at `open_ms` and last `step_ms` (N,) or (1,)."""
    ahead = open_ms[:, None] + step_ms[:, None] * _AHEAD
    next_ms = ahead[:, 0]
    return Calendar(
        hour_slot(open_ms), week_slot(open_ms), hour_slot(next_ms), week_slot(ahead), clock_columns(next_ms)
    )


def calendar_of_round(open_ms: NDArray[np.int64], step_ms: NDArray[np.int64]) -> Calendar:
    """The same for candles of many series, most of which open together: then it is one row, and kept.

    Nothing in a calendar tells one week from another but whether New York has its summer time.
    """
    first_ms, first_step_ms = int(open_ms[0]), int(step_ms[0])
    if len(open_ms) > 1 and not ((open_ms == first_ms).all() and (step_ms == first_step_ms).all()):
        return calendar(open_ms, step_ms)
    summer = bisect_right(_CHANGES_IN_ORDER, first_ms + first_step_ms) % 2
    return _one_row(_WEEKS[summer] + first_ms % WEEK_MS, first_step_ms)


@lru_cache(4096)
def _one_row(open_ms: int, step_ms: int) -> Calendar:
    return calendar(np.array([open_ms]), np.array([step_ms]))


def clock_columns(open_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Hour, New York clock and weekday of the candles that open at `open_ms`: float64 (N, 13).

    Columns: sin, cos of 1, 2, 3 x 2π hour/24 in UTC; sin, cos of 1, 2 x 2π hour/24 in New York, zero
    at weekends there; flags of weekend, Friday and Sunday in UTC.
    """
    columns = np.empty((len(open_ms), CLOCK_COLUMNS))
    columns[:, 0:6] = _harmonics(open_ms, 3)
    new_york = open_ms + new_york_offset_ms(open_ms)
    workday = (_weekday(new_york) < 5).astype(np.float64)
    columns[:, 6:10] = _harmonics(new_york, 2) * workday[:, None]
    weekday = _weekday(open_ms)
    columns[:, 10] = weekday >= 5
    columns[:, 11] = weekday == 4
    columns[:, 12] = weekday == 6
    return columns


def new_york_offset_ms(at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """New York's offset from UTC in ms: −5 h, −4 h in summer (the rules of 1987 and of 2007)."""
    summer = np.searchsorted(_CHANGES, at_ms, side="right") % 2
    return (summer - 5) * np.int64(HOUR_MS)


def _harmonics(local_ms: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Sine and cosine of the first `count` harmonics of the day: (N, 2·count)."""
    angle = (2 * np.pi / DAY_MS) * (local_ms % DAY_MS).astype(np.float64)
    pairs = [(np.sin(k * angle), np.cos(k * angle)) for k in range(1, count + 1)]
    return np.stack([wave for pair in pairs for wave in pair], axis=1)


def _weekday(local_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Monday 0 … Sunday 6."""
    return (local_ms // DAY_MS + _MONDAY_SHIFT) % 7


def _sunday(month: np.datetime64, nth: int) -> np.datetime64:
    """The nth Sunday of a month, counted from 1; −1 is its last."""
    start = month if nth > 0 else month + np.timedelta64(1, "M")
    week = nth - 1 if nth > 0 else nth
    day = start.astype("datetime64[D]")
    to_sunday = (6 - (day.astype(np.int64) + _MONDAY_SHIFT) % 7) % 7
    sunday: np.datetime64 = day + np.timedelta64(int(to_sunday) + 7 * week, "D")
    return sunday


def _changes() -> NDArray[np.int64]:
    """Instants at which New York changes its clocks, in order, beginning with a spring: at 2 h local time."""
    instants = []
    for year in range(1987, _LAST_YEAR):
        january = np.datetime64(f"{year}-01", "M")
        spring, autumn = (_sunday(january + 2, 2), _sunday(january + 10, 1))
        if year < 2007:
            spring, autumn = (_sunday(january + 3, 1), _sunday(january + 9, -1))
        instants += [int(spring.astype(np.int64)) * DAY_MS + 7 * HOUR_MS]
        instants += [int(autumn.astype(np.int64)) * DAY_MS + 6 * HOUR_MS]
    return np.array(instants, np.int64)


_CHANGES: Final = _changes()
_CHANGES_IN_ORDER: Final[list[int]] = _CHANGES.tolist()
_WEEKS: Final = (2146 * WEEK_MS, 2120 * WEEK_MS)
"""One week with winter time in New York, of February 2011, and one with summer time, of August 2010."""
