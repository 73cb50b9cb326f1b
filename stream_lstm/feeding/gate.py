"""Series that share a topic go forward together, so far that none closes another's forming candle.

A worker closes a pending bar when its partition's clock is past the bar's end by `closing.close_grace`. A
series that is behind, after an outage, must not have its last forming bar closed by the others' candles.
"""

import asyncio
from collections.abc import Sequence
from math import inf

from stream_lstm.candles.series import Closed, SeriesKey


class Gate:
    """Knows which series have a forming candle in the topic, and what may be written meanwhile.

    >>> gate, other = Gate(grace_ms=5_000), SeriesKey("x", "B", "1m")
    >>> gate.expose(other, close_ms=59_999)
    >>> gate.admits(64_999), gate.admits(119_999)
    (True, False)
    >>> gate.clear(other, up_to_ms=59_999)
    >>> gate.admits(119_999)
    True
    """

    def __init__(self, grace_ms: int) -> None:
        self._grace_ms = grace_ms
        self._exposed: dict[SeriesKey, int] = {}
        self._changed = asyncio.Event()

    def expose(self, series: SeriesKey, close_ms: int) -> None:
        """A forming candle of a series is in the topic, or may be, and ends then."""
        self._exposed[series] = close_ms

    def clear(self, series: SeriesKey, up_to_ms: int) -> None:
        """What of a series ends by then has been closed."""
        if self._exposed.get(series, up_to_ms + 1) <= up_to_ms:
            del self._exposed[series]
            self._changed.set()

    def admits(self, time_ms: int) -> bool:
        """Whether a record of that time closes nothing that is forming."""
        return time_ms <= min(self._exposed.values(), default=inf) + self._grace_ms

    def admitted(self, candles: Sequence[Closed]) -> int:
        """How many of these, from the first on, may be written now."""
        for place, candle in enumerate(candles):
            if not self.admits(candle.close_ms):
                return place
        return len(candles)

    async def change(self) -> None:
        """Wait until more may be admitted."""
        self._changed.clear()
        await self._changed.wait()

    def behind(self, time_ms: int) -> list[SeriesKey]:
        """The series that keep a record of that time out."""
        return [series for series, close_ms in self._exposed.items() if close_ms + self._grace_ms < time_ms]
