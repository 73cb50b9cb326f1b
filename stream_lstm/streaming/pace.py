"""How many candles a turn may take, so that the event loop is never held for long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_TARGET_SECONDS: Final = 0.030
_FEWEST: Final = 16
_MOST: Final = 2_048


class Pace:
    """Learns the cost of a candle from the turns; how candles are cut into turns changes no message.

    `candles` is the most that the next turn may take. Cost is CPU time of this thread, so that a busy
    machine does not make the turns small.
    """

    def __init__(self) -> None:
        self.candles = 128
        self.seconds = 0.0
        """CPU time of the last turn that was measured."""
        self._took = 0

    def took(self, candles: int) -> None:
        """How many candles the turn that is being measured has taken."""
        self._took = candles

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Around the work of one turn."""
        began = time.thread_time()
        yield
        self.seconds = time.thread_time() - began
        # A short turn says little of the cost of a full one: it has the same fixed part.
        if self._took * 2 >= self.candles:
            wanted = self._took * _TARGET_SECONDS / max(self.seconds, 1e-6)
            self.candles = int(min(max((self.candles + wanted) / 2, _FEWEST), _MOST))
        self._took = 0
