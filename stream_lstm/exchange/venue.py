"""One exchange, through ccxt: its markets, its clock, and candles that are asked for."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from difflib import get_close_matches
from math import inf
from typing import Any, Final, Self

from stream_lstm.candles.missing import Stretch
from stream_lstm.candles.series import Closed
from stream_lstm.candles.validation import ohlcv
from stream_lstm.errors import BadCandle, SettingsError
from stream_lstm.exchange.clock import Clock, WallClock
from stream_lstm.exchange.markets import Listing, listings

_TOGETHER: Final = 4
"""Requests under way at a time; how many a second is ccxt's business."""
_PAGE: Final = 500
"""Candles of one answer, of an exchange of which ccxt does not know how many it gives."""
_LARGEST_PAGE: Final = 1_000
_SKEW_MS: Final = 500
"""A clock that is off by less is not told from a slow answer."""


class Venue:
    """An exchange. An async context manager: entering loads its markets.

    `name` is ccxt's. `url` replaces all its servers, in front of the host's name. Requests are spaced by
    ccxt's own rate limit and repeated for `patience_s` seconds; `say` is told what is waited for. Without
    a `clock` of its own it is the machine's, set by the exchange's where that tells the time. Raises
    `SettingsError` if there is no such exchange, it has no candles, or ccxt is not installed, and
    `VenueError` when it cannot be reached.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str | None = None,
        timeout_s: float = 10.0,
        patience_s: float = inf,
        clock: Clock | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.name = name.lower()
        self.client = _client(self.name, url, timeout_s)
        self.clock: Clock = clock or WallClock()
        self._say = say
        # Only here: ccxt is an extra, and takes a while to import.
        from stream_lstm.exchange import patience

        self._patience = patience.Patience(self.name, patience_s, say)
        plain = self.client.on_rest_response

        def noting(status: int, reason: str, url: str, method: str, headers: Any, *rest: Any) -> Any:
            patience.note(status, headers)
            return plain(status, reason, url, method, headers, *rest)

        self.client.on_rest_response = noting
        self._turns = asyncio.Semaphore(_TOGETHER)

    async def __aenter__(self) -> Self:
        try:
            await self._ask("its markets", self.client.load_markets)
            await self.set_clock()
        except BaseException:
            await self.client.close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.close()

    @property
    def streams(self) -> bool:
        """Whether it sends candles as they form."""
        return bool(self.client.has.get("watchOHLCV"))

    def now_ms(self) -> int:
        """What time it is at the exchange."""
        return self.clock.now_ms()

    async def set_clock(self) -> None:
        """Set our clock by the exchange's, where it tells the time."""
        clock = self.clock
        if not isinstance(clock, WallClock) or not self.client.has.get("fetchTime"):
            return
        before_ms = clock.now_ms()
        theirs_ms = await self._ask("its time", self.client.fetch_time)
        ours_ms = (before_ms + clock.now_ms()) // 2
        if theirs_ms is None or abs(theirs_ms - ours_ms) < _SKEW_MS:
            return
        clock.ahead_ms += theirs_ms - ours_ms
        self._say(f"{self.name} is {clock.ahead_ms / 1000:+.1f} s off this machine's clock: its own counts")

    def find(self, symbols: Sequence[str], interval: str, *, unified: bool = False) -> list[Listing]:
        """The series of these symbols. Raises `SettingsError` for what it has not, with what comes near."""
        known = self.client.timeframes or {}
        return listings(self.name, self.client.markets, known, symbols, interval, unified=unified)

    def page(self, listing: Listing) -> int:
        """Candles of one answer at most."""
        limit = self.client.feature_value(listing.symbol, "fetchOHLCV", "limit", _PAGE)
        return min(int(limit or _PAGE), _LARGEST_PAGE)

    async def rows(self, listing: Listing, since_ms: int, count: int) -> list[Closed]:
        """Candles that open at `since_ms` or later, the oldest first, the last perhaps still forming.

        One request; `count` at most, and fewer where the exchange gives fewer. A row that is no candle is
        left out and said.
        """
        limit = min(count, self.page(listing))
        answer = await self._ask(
            f"candles of {listing.symbol}",
            lambda: self.client.fetch_ohlcv(listing.symbol, listing.series.interval, since_ms, limit),
        )
        return [row for row in self.read(listing, answer) if row.open_ms >= since_ms]

    async def newest(self, listing: Listing) -> Closed | None:
        """The candle that opened last and has closed; None if it has none."""
        now_ms, page = self.now_ms(), self.page(listing)
        for back in (3, page, 10 * page):
            rows = await self.rows(listing, now_ms - back * listing.step_ms, page)
            closed = [row for row in rows if row.close_ms < now_ms]
            if closed:
                return closed[-1]
        return None

    async def pages(self, listing: Listing, stretch: Stretch) -> AsyncIterator[list[Closed]]:
        """The closed candles of a stretch of time that the exchange has, an answer at a time."""
        since_ms = stretch.start_ms
        while since_ms < stretch.stop_ms:
            count = (stretch.stop_ms - since_ms) // listing.step_ms
            limit = min(count, self.page(listing))
            rows = await self.rows(listing, since_ms, limit)
            inside = [row for row in rows if row.open_ms < stretch.stop_ms]
            if inside:
                if inside[0].open_ms > since_ms and len(rows) < limit:
                    # Some give the newest of what was asked for, and fewer than ccxt believes.
                    async for page in self.pages(listing, Stretch(since_ms, inside[0].open_ms)):
                        yield page
                yield inside
                since_ms = inside[-1].open_ms + listing.step_ms
            elif rows:
                return
            else:  # some look no further than the window that was asked for: before a listing it is empty
                since_ms += limit * listing.step_ms

    def read(self, listing: Listing, answer: Iterable[Sequence[Any]]) -> list[Closed]:
        """ccxt's rows as candles, by open time."""
        found: list[Closed] = []
        for open_ms, open_, high, low, close, volume in (row[:6] for row in answer):
            try:
                # ccxt says None where an exchange tells no volume.
                values = ohlcv(open_, high, low, close, 0.0 if volume is None else volume)
            except BadCandle as bad:
                self._say(f"{self.name} says of {listing.symbol} at {open_ms}: {bad}; left out")
                continue
            found.append(Closed(listing.series, listing.step_ms, int(open_ms), *values))
        return sorted(found, key=lambda row: row.open_ms)

    async def _ask(self, what: str, request: Callable[[], Any]) -> Any:
        async with self._turns:
            return await self._patience.ask(what, request)


def _client(name: str, url: str | None, timeout_s: float) -> Any:
    """ccxt's client of an exchange, with its streams where it has any."""
    try:
        import ccxt.async_support
        import ccxt.pro
    except ImportError:
        raise SettingsError('exchanges need the package ccxt: pip install "stream-lstm[exchange]"') from None
    if name not in ccxt.exchanges:
        near = get_close_matches(name, ccxt.exchanges, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"it has {len(ccxt.exchanges)} others"
        raise SettingsError(f"ccxt knows no exchange {name!r}: {hint}")
    kind = getattr(ccxt.pro if name in ccxt.pro.exchanges else ccxt.async_support, name)
    client = kind({"enableRateLimit": True, "timeout": round(timeout_s * 1000)})
    if not client.has.get("fetchOHLCV") or client.has["fetchOHLCV"] == "emulated":
        raise SettingsError(f"{name} gives no candles: take another exchange, or CSV files")
    if url is not None:
        client.urls["api"] = redirected(client.urls["api"], url.rstrip("/"))
    return client


def redirected(urls: Any, base: str) -> Any:
    """ccxt's addresses of an exchange, all behind one: the host that each stands for begins its path.

    >>> redirected({"public": "https://api.binance.com/api/v3", "ws": "wss://a.b:9443/ws"}, "http://127.0.0.1:8000")
    {'public': 'http://127.0.0.1:8000/api.binance.com/api/v3', 'ws': 'ws://127.0.0.1:8000/a.b:9443/ws'}
    """
    if isinstance(urls, dict):
        return {key: redirected(value, base) for key, value in urls.items()}
    if not isinstance(urls, str):
        return urls
    match = re.match(r"(http|ws)s?://", urls)
    if match is None:
        return urls
    front = base.replace("http", "ws", 1) if match[1] == "ws" else base
    return f"{front}/{urls[match.end() :]}"
