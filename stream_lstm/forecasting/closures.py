"""When a market closes: a gap at the weekend, or one that recurs, is calendar and no outage."""

from typing import Final, NamedTuple

from stream_lstm.features.clock import DAY_MS, HOUR_MS, WEEK_HOURS

LONGEST_MS: Final = 14 * DAY_MS
"""No market is closed for longer, its holidays included; what lasts longer is an outage."""

_WEEK_MS: Final = WEEK_HOURS * HOUR_MS
_REMEMBERED_MS: Final = 8 * DAY_MS
_LONGEST_WEEKEND_MS: Final = 5 * DAY_MS
_SATURDAY_BEGINS_MS: Final = 2 * DAY_MS + 6 * HOUR_MS
"""06:00 on the first Saturday of the epoch, whose first day was a Thursday: New York's Friday is over."""
_SATURDAY_ENDS_MS: Final = 3 * DAY_MS


class Closure(NamedTuple):
    """The time between the last candle before it and the first after it, epoch ms."""

    from_ms: int
    to_ms: int


class Closures:
    """The closures of one market in the last eight days."""

    def __init__(self) -> None:
        self.known: list[Closure] = []

    def earlier(self, from_ms: int) -> Closure | None:
        """The closure that one beginning at `from_ms` repeats: last week's, or else the last at this hour.

        Clocks change: an hour earlier or later is the same closure.
        """
        recent = [one for one in self.known if 0 < from_ms - one.from_ms <= _REMEMBERED_MS]
        weekly = [one for one in recent if abs(from_ms - one.from_ms - _WEEK_MS) <= HOUR_MS]
        daily = [one for one in recent if _apart(from_ms, one.from_ms, DAY_MS) <= HOUR_MS]
        return next(iter(weekly), None) or (daily[-1] if daily else None)

    def note(self, closure: Closure) -> None:
        """Remember a closure, and forget what is too old to matter."""
        self.known = [one for one in self.known if closure.from_ms - one.from_ms <= _REMEMBERED_MS]
        self.known.append(closure)

    def expected_ms(self, from_ms: int) -> int:
        """How long a market that falls silent at `from_ms` is closed by what is known, 0 if it is open."""
        earlier = self.earlier(from_ms)
        return 0 if earlier is None else earlier.to_ms - earlier.from_ms


def is_weekend(closure: Closure) -> bool:
    """Whether it holds a Saturday (UTC, from 06:00 on) and is no longer than the longest weekend."""
    saturday_ms = (closure.to_ms - _SATURDAY_ENDS_MS) // _WEEK_MS * _WEEK_MS
    holds = closure.from_ms <= saturday_ms + _SATURDAY_BEGINS_MS
    return holds and closure.to_ms - closure.from_ms <= _LONGEST_WEEKEND_MS


def _apart(one: int, other: int, cycle: int) -> int:
    """Distance of two times on a clock that repeats."""
    ahead = (one - other) % cycle
    return min(ahead, cycle - ahead)
