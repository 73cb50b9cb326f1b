"""How many things happen per second, lately."""

from collections import deque
from collections.abc import Callable
from typing import Final

_STEP_SECONDS: Final = 0.25


class Rate:
    """Counts over the last `seconds` by a clock in seconds.

    >>> times = iter([0.0, 0.0, 1.0, 2.0, 2.0]).__next__
    >>> rate = Rate(times, seconds=5.0)
    >>> rate.count(), rate.count(), rate.count()
    (None, None, None)
    >>> rate.per_second()
    1.5
    """

    def __init__(self, clock: Callable[[], float], seconds: float = 5.0) -> None:
        self._clock = clock
        self._seconds = seconds
        self._begun = clock()
        self._counts: deque[list[float]] = deque()

    def count(self) -> None:
        """One more now."""
        now = self._clock()
        if self._counts and now < self._counts[-1][0] + _STEP_SECONDS:
            self._counts[-1][1] += 1
            return
        self._counts.append([now, 1])
        self._forget(now)

    def per_second(self) -> float:
        """The mean over the window, or over the time there has been; 0 in the first instant."""
        now = self._clock()
        self._forget(now)
        seconds = min(self._seconds, now - self._begun)
        return sum(count for _, count in self._counts) / seconds if seconds >= 1 else 0.0

    def _forget(self, now: float) -> None:
        while self._counts and self._counts[0][0] <= now - self._seconds:
            self._counts.popleft()
