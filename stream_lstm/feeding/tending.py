"""One series of a feed: when the exchange is asked, and what is published of what it answers."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stream_lstm.candles.series import Closed
from stream_lstm.candles.succession import RECHECKED, Succession
from stream_lstm.exchange.markets import Listing
from stream_lstm.exchange.venue import Venue
from stream_lstm.feeding.gate import Gate
from stream_lstm.streaming.feeder import Feeder

_FIRST_PAUSE_MS: Final = 300
"""After its close a candle is asked for so much later: most exchanges have it then."""
_LONGEST_PAUSE_MS: Final = 30_000
_LONGEST_SLEEP_MS: Final = 60_000
"""Clocks are looked at again after this: a machine may be suspended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How candles are published."""

    settle_ms: int = 10_000
    """See `candles.succession`."""
    forming_ms: int = 30_000
    """Between two publications of the candle that forms; 0 for none."""
    stream: bool = True
    """Whether the exchange's stream is used, where there is one."""
    grace_ms: int = 5_000
    """The workers' `closing.close_grace`."""
    hold_ms: int = 60_000
    """How long a series that is a candle behind is waited for by the others."""


@dataclass(slots=True)
class Fed:
    """What has gone out since the beginning."""

    closed: int = 0
    """Candles, corrections not among them."""
    corrections: int = 0
    forming: int = 0
    absent: int = 0
    """Candles that the exchange left out."""
    losses: int = 0
    """Connections of the stream that were lost."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all series of a feed share."""

    venue: Venue
    feeder: Feeder
    gate: Gate
    manner: Manner
    fed: Fed
    say: Callable[[str], None]


class Tended:
    """One series: what it is told, and its task."""

    def __init__(self, around: Surroundings, listing: Listing, published: Iterable[Closed]) -> None:
        self.listing = listing
        self.caught_up = asyncio.Event()
        self.succession = Succession(
            listing.series,
            listing.step_ms,
            settle_ms=around.manner.settle_ms,
            published=published,
        )
        self._around = around
        if (next_ms := self.succession.next_ms) is not None:
            # Whoever fed before may have left its forming bar in the topic.
            around.gate.expose(listing.series, next_ms + listing.step_ms - 1)
        self._wake = asyncio.Event()
        self._asks = True
        self._row: Closed | None = None
        self._shown_ms = 0
        self._polled_ms = 0

    def offer(self, row: Closed) -> None:
        """An update of the stream: it is shown when it may be, and asked about when it is later."""
        if self._row is not None and row.open_ms < self._row.open_ms:
            return
        if self._row is not None and row.open_ms > self._row.open_ms:
            self._asks = True
        self._row = row
        self._wake.set()

    def ask_again(self) -> None:
        """Ask the exchange as soon as may be."""
        self._asks = True
        self._wake.set()

    async def tend(self) -> None:
        """Ask, publish, wait; for ever."""
        pause_ms = 0.0
        while True:
            now_ms = self._around.venue.now_ms()
            if self._asks or self._polls(now_ms) or self.succession.is_due(now_ms):
                self._asks, self._polled_ms = False, now_ms
                await self._settle()
                now_ms = self._around.venue.now_ms()
            if self.succession.is_due(now_ms):
                longest = min(_LONGEST_PAUSE_MS, self.listing.step_ms / 4)
                pause_ms = min(2 * pause_ms or _FIRST_PAUSE_MS, longest)
                await self._around.venue.clock.sleep(pause_ms)
                continue
            pause_ms = 0.0
            self.caught_up.set()
            await self._show(now_ms)
            await self._rest(self.succession.due_ms(now_ms) + _FIRST_PAUSE_MS - now_ms)

    def _polls(self, now_ms: int) -> bool:
        """Whether the forming candle is to be asked for, as there is no stream of it."""
        manner = self._around.manner
        streams = manner.stream and self._around.venue.streams
        return bool(manner.forming_ms) and not streams and now_ms - self._polled_ms >= manner.forming_ms

    async def _settle(self) -> None:
        """Ask for what is not out, page after page, and publish what is final."""
        venue, succession = self._around.venue, self.succession
        since_ms = succession.since(venue.now_ms())
        while True:
            asked_ms = venue.now_ms()
            count = (asked_ms - since_ms) // self.listing.step_ms + RECHECKED
            rows = await venue.rows(self.listing, since_ms, count)
            next_ms = succession.next_ms
            skipped = succession.skipped
            out = succession.settle(rows, asked_ms)
            if out:
                await self._publish(out)
                self._count(out, next_ms)
            if missed := succession.skipped - skipped:
                self._around.fed.absent += missed
                self._around.say(
                    f"{venue.name} has no candle of {self.listing.symbol} for {missed} intervals"
                )
            if rows:
                self._keep(rows[-1])
            page = min(count, venue.page(self.listing))
            if not rows and since_ms + page * self.listing.step_ms < asked_ms:
                since_ms += page * self.listing.step_ms  # a window in which the exchange has none
                continue
            # Never past what is awaited: an answer that took long may hold more than counts as closed.
            following = min(rows[-1].open_ms, succession.next_ms or 0) if len(rows) == page else 0
            if following <= since_ms:
                return
            since_ms = following

    async def _publish(self, out: Sequence[Closed]) -> None:
        """Write them, as soon as no series that is behind is in the way."""
        gate, left = self._around.gate, out
        while left:
            gate.clear(self.listing.series, left[0].close_ms - 1)  # its own, which the exchange left out
            if count := gate.admitted(left):
                await self._around.feeder.put(left[:count])
                gate.clear(self.listing.series, left[count - 1].close_ms)
                left = left[count:]
            elif not await self._changes(gate):
                self._give_up_on(gate, left[0].close_ms)

    async def _changes(self, gate: Gate) -> bool:
        """Whether more is admitted before the time that is given to the others is over."""
        changing = asyncio.ensure_future(gate.change())
        holding = asyncio.ensure_future(self._around.venue.clock.sleep(self._around.manner.hold_ms))
        try:
            await asyncio.wait({changing, holding}, return_when=asyncio.FIRST_COMPLETED)
            return changing.done()
        finally:
            changing.cancel()
            holding.cancel()

    def _give_up_on(self, gate: Gate, time_ms: int) -> None:
        behind = gate.behind(time_ms)
        if not behind:  # somebody else has given up on them
            return
        for series in behind:
            gate.clear(series, time_ms)
        named = ", ".join(series.symbol for series in behind[:5])
        self._around.say(
            f"goes on without {named}: a candle behind, and a worker may close it by its last update"
        )

    def _keep(self, row: Closed) -> None:
        """The last row of an answer may be the forming one, and newer than the stream's."""
        if self._row is None or row.open_ms > self._row.open_ms or not self._around.venue.streams:
            self._row = row

    def _count(self, out: Sequence[Closed], next_ms: int | None) -> None:
        fresh = sum(next_ms is None or candle.open_ms >= next_ms for candle in out)
        self._around.fed.closed += fresh
        self._around.fed.corrections += len(out) - fresh
        if corrected := [candle for candle in out if next_ms is not None and candle.open_ms < next_ms]:
            self._around.say(
                f"{len(corrected)} candles of {self.listing.symbol} were corrected by the exchange"
            )

    async def _show(self, now_ms: int) -> None:
        every_ms = self._around.manner.forming_ms
        if not every_ms or self._row is None or now_ms - self._shown_ms < every_ms:
            return
        update = self.succession.forming(self._row, now_ms)
        if update is not None and self._around.gate.admits(update.open_ms):
            self._shown_ms = now_ms
            self._around.gate.expose(self.listing.series, update.close_ms)
            await self._around.feeder.put([update])
            self._around.fed.forming += 1

    async def _rest(self, ms: float) -> None:
        """Sleep until there is something to do: a close, an update that may be shown, a connection."""
        manner, venue = self._around.manner, self._around.venue
        if manner.forming_ms:
            shows_ms = max(self._shown_ms, self._polled_ms) + manner.forming_ms
            ms = min(ms, max(0, shows_ms - venue.now_ms()) or ms)
        sleeping = asyncio.ensure_future(venue.clock.sleep(min(max(ms, 1.0), _LONGEST_SLEEP_MS)))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()
        self._wake.clear()
