"""The last closed candles of one series."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST: Final = 400
"""Candles that are kept: the longest horizon of the default settings is 168 hourly ones."""
_SPARE: Final = 100
"""Rows beyond, so that the rest moves only once in so many candles."""
_FIRST: Final = 50
_OPEN_MS, _CLOSE, _REAL = 0, 4, 5


class CandleRing:
    """Rows of open time in ms, open, high, low, close, and 1 for a candle or 0 for a mere close price.

    >>> ring = CandleRing(60_000)
    >>> ring.put(0, 1.0, 2.0, 0.5, 1.5)
    >>> ring.put_close(60_000, 1.6)
    >>> ring.rows[:, 4].tolist(), ring.closes_at(np.array([59_999, 119_999, 179_999])).tolist()
    ([1.5, 1.6], [1.5, 1.6, nan])
    """

    def __init__(self, step_ms: int) -> None:
        self.step_ms = step_ms
        self._rows = np.empty((_FIRST, 6))
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, MOST)

    @property
    def rows(self) -> Floats:
        """(N, 6), the newest last; a view that the next `put` may change."""
        return self._rows[max(0, self._count - MOST) : self._count]

    @property
    def last_open_ms(self) -> int:
        """Of the newest; -1 where there is none."""
        return int(self._rows[self._count - 1, _OPEN_MS]) if self._count else -1

    def put(self, open_ms: int, *prices: float) -> None:
        """A closed candle: open, high, low, close. One of the same open time is replaced."""
        self._set(open_ms, (*prices, 1.0))

    def put_close(self, open_ms: int, close: float) -> None:
        """What is known of a candle that was not read: a candle of that time is left as it is."""
        at = self._place(open_ms)
        if at == self._count or self._rows[at, _OPEN_MS] != open_ms or not self._rows[at, _REAL]:
            self._set(open_ms, (close, close, close, close, 0.0))

    def closes_at(self, close_ms: NDArray[np.int64]) -> Floats:
        """Close prices of candles by their close times (N,); NaN where there is none."""
        rows, wanted = self.rows, np.asarray(close_ms, np.float64) + 1 - self.step_ms
        if not len(rows):
            return np.full(len(wanted), np.nan)
        at = np.minimum(np.searchsorted(rows[:, _OPEN_MS], wanted), len(rows) - 1)
        return np.where(rows[at, _OPEN_MS] == wanted, rows[at, _CLOSE], np.nan)

    def _place(self, open_ms: int) -> int:
        return int(np.searchsorted(self._rows[: self._count, _OPEN_MS], open_ms))

    def _set(self, open_ms: int, rest: tuple[float, ...]) -> None:
        at = self._place(open_ms)
        if at < self._count and self._rows[at, _OPEN_MS] == open_ms:
            self._rows[at, 1:] = rest
            return
        if self._count == len(self._rows):
            self._make_room()
            at = self._place(open_ms)
        self._rows[at + 1 : self._count + 1] = self._rows[at : self._count].copy()
        self._rows[at] = (open_ms, *rest)
        self._count += 1

    def _make_room(self) -> None:
        if self._count < MOST + _SPARE:
            larger = np.empty((min(2 * self._count, MOST + _SPARE), 6))
            larger[: self._count] = self._rows
            self._rows = larger
            return
        self._rows[:MOST] = self._rows[self._count - MOST : self._count].copy()
        self._count = MOST
