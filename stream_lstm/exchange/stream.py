"""Candles as they form, from an exchange's WebSocket: lost connections are made again for ever."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import ccxt

from stream_lstm.candles.series import Closed
from stream_lstm.errors import VenueError
from stream_lstm.exchange.markets import Listing
from stream_lstm.exchange.venue import Venue

_TOGETHER: Final = 50
"""Series of one subscription."""
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0


class Stream:
    """Follows the forming candles of some series. Its callbacks are called in the loop and return at once.

    `offer` takes each update, late, doubled and out of order as the exchange sends them; `connected` the
    series whose updates have begun to come, the first time and after each loss; `lost` those whose
    connection is gone, with what was said.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        offer: Callable[[Listing, Closed], None],
        connected: Callable[[Sequence[Listing]], None],
        lost: Callable[[Sequence[Listing], str], None],
    ) -> None:
        self._venue = venue
        self._offer = offer
        self._connected = connected
        self._lost = lost

    async def follow(self, listings: Sequence[Listing]) -> None:
        """Never returns; cancel it to stop. Raises `VenueError` if the exchange refuses the subscription."""
        together = _TOGETHER if self._venue.client.has.get("watchOHLCVForSymbols") else 1
        parts = [listings[at : at + together] for at in range(0, len(listings), together)]
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self._follow(part))
        except ExceptionGroup as refused:  # one refusal is enough to know
            raise refused.exceptions[0] from None

    async def _follow(self, part: Sequence[Listing]) -> None:
        failures, is_connected = 0, False
        while True:
            try:
                updates = await self._next(part)
            except asyncio.CancelledError:
                # ccxt cancels what waits on a connection that breaks; we are meant only if the task is.
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                why = "the connection broke"
            except ccxt.NetworkError as error:
                why = " ".join(str(error).split())[:200]
            except ccxt.BaseError as error:
                symbols = ", ".join(listing.symbol for listing in part)
                raise VenueError(f"{self._venue.name} streams no candles of {symbols}: {error}") from error
            else:
                if not is_connected:
                    failures, is_connected = 0, True
                    self._connected(part)
                for listing, row in updates:
                    self._offer(listing, row)
                continue
            if is_connected or not failures:
                self._lost(part, why)
            is_connected = False
            await asyncio.sleep(min(_FIRST_WAIT_S * 2.0**failures, _LONGEST_WAIT_S))
            failures += 1

    async def _next(self, part: Sequence[Listing]) -> list[tuple[Listing, Closed]]:
        """The next updates of any of these series."""
        client, interval = self._venue.client, part[0].series.interval
        if len(part) == 1:
            return self._read(part[0], await client.watch_ohlcv(part[0].symbol, interval))
        told: dict[str, Any] = await client.watch_ohlcv_for_symbols([[one.symbol, interval] for one in part])
        by_symbol = {listing.symbol: listing for listing in part}
        return [
            update
            for symbol, rows in told.items()
            if symbol in by_symbol
            for update in self._read(by_symbol[symbol], rows.get(interval, []))
        ]

    def _read(self, listing: Listing, rows: Iterable[Sequence[Any]]) -> list[tuple[Listing, Closed]]:
        return [(listing, row) for row in self._venue.read(listing, rows)]
