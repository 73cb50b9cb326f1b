"""How many requests an address may make."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MOST: Final = 10_000


class RateLimit:
    """A bucket of tokens per address: it holds `burst` of them and is filled at `rate` a second.

    Knows the 10,000 addresses that were here last; `clock` tells seconds.

    >>> limit = RateLimit(rate=2.0, burst=2, clock=iter([0.0, 0.0, 0.0, 1.0]).__next__)
    >>> [limit.wait("a") for _ in range(4)]
    [0.0, 0.0, 0.5, 0.0]
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Take a token: 0 if there was one, else the seconds until there is."""
        now = self._clock()
        tokens, since = self._buckets.pop(address, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._buckets[address] = (tokens - 1 if allowed else tokens), now
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate
