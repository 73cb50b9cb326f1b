"""Which series a command means: what it leaves out comes from the defaults, or from the only match."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from stream_lstm.candles.series import SeriesKey
from stream_lstm.candles.units import interval_ms
from stream_lstm.contracts.command import Command
from stream_lstm.errors import BadCandle, StoreError
from stream_lstm.registry.claims import Claims
from stream_lstm.streaming.ends import abandonable

log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a command that does not say means."""

    exchange: str | None = None
    interval: str | None = None


@dataclass(slots=True)
class Directory:
    """The series of all workers, by their claims, and those of this one."""

    claims: Claims
    own: Callable[[], Iterable[SeriesKey]]
    defaults: Defaults
    on_news: Callable[[], None]
    _known: frozenset[SeriesKey] = frozenset()
    _read_at: float = -1.0
    _reading: asyncio.Task[None] | None = field(default=None)

    def matches(self, command: Command, since: float) -> list[SeriesKey] | None:
        """The series that a command may mean, by name; None as long as not all of `since` are known.

        `since` by `time.monotonic`. One that is named whole is that one, whether anybody knows it or not.
        """
        assert command.symbol is not None
        exchange = command.exchange.lower() if command.exchange is not None else None
        interval = canonical(command.interval) if command.interval is not None else None
        if exchange is not None and interval is not None:
            return [SeriesKey(exchange, command.symbol, interval)]
        if self._read_at < since:
            self._read()
            return None
        found = {series for series in {*self._known, *self.own()} if series.symbol == command.symbol}
        found = _narrowed(found, "exchange", exchange, self.defaults.exchange)
        found = _narrowed(found, "interval", interval, self.defaults.interval)
        return sorted(found)

    def knows(self, series: SeriesKey, since: float) -> bool | None:
        """Whether a partition has claimed a series; None as long as that is not known for `since`."""
        if series in self._known:
            return True
        if self._read_at < since:
            self._read()
            return None
        return False

    async def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _read(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_again(), name="directory")

    async def _read_again(self) -> None:
        began = time.monotonic()
        try:
            names = await abandonable(self.claims.directory)
        except StoreError as error:
            log.warning("commands that name no whole series wait for the store: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        self._known = frozenset(map(SeriesKey.parse, names))
        self._read_at = began
        self.on_news()


def canonical(interval: str) -> str:
    """An interval as series have it; one that no candle can have as it is.

    >>> canonical("60m"), canonical("7m")
    ('1h', '7m')
    """
    try:
        return interval_ms(interval)[0]
    except BadCandle:
        return interval


def _narrowed(found: set[SeriesKey], part: str, said: str | None, default: str | None) -> set[SeriesKey]:
    """Those with what was said; else those with the default, if there are any."""
    if said is not None:
        return {series for series in found if getattr(series, part) == said}
    preferred = {series for series in found if getattr(series, part) == default}
    return preferred or found
