"""ccxt against a server on the loopback, as two exchanges."""

import time
from collections.abc import AsyncIterator
from math import inf

import ccxt
import pytest

from stream_lstm.candles.missing import last
from stream_lstm.errors import SettingsError, VenueError
from stream_lstm.exchange.clock import WallClock
from stream_lstm.exchange.venue import Venue
from tests.exchange.standin import FastClock, Standin


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    async with Standin() as standin:
        yield standin


@pytest.mark.parametrize(("name", "symbol"), [("binance", "BTCUSDT"), ("okx", "BTC-USDT")])
async def test_history_is_asked_for_page_by_page(standin: Standin, name: str, symbol: str) -> None:
    standin.page = 250
    async with Venue(name, url=standin.url) as venue:
        (listing,) = venue.find(["BTC/USDT"], "1m")
        assert listing.series.symbol == symbol
        newest = await venue.newest(listing)
        assert newest is not None
        assert newest.close_ms < venue.now_ms() <= newest.close_ms + 61_000
        wanted = last(600, newest.open_ms, 60_000)
        standin.untraded |= {("BTC/USDT", newest.open_ms - n * 60_000) for n in range(100, 120)}
        rows = [row async for page in venue.pages(listing, wanted) for row in page]
    assert [row.open_ms for row in rows] == [
        open_ms for open_ms in range(*wanted, 60_000) if ("BTC/USDT", open_ms) not in standin.untraded
    ]
    assert rows[0][3:] == tuple(standin.candle("BTC/USDT", wanted.start_ms, 60_000))


async def test_refusals_are_waited_out_as_long_as_they_ask(standin: Standin) -> None:
    said: list[str] = []
    async with Venue("binance", url=standin.url, say=said.append) as venue:
        (listing,) = venue.find(["BTC/USDT"], "1m")
        standin.refusals += [(429, {"Retry-After": "2"}), (503, {})]
        began = time.monotonic()
        assert len(await venue.rows(listing, venue.now_ms() - 600_000, 5)) == 5
        assert 2 <= time.monotonic() - began < 6
    assert said[0].startswith("waits 2 s for binance (candles of BTC/USDT)")
    assert said[-1] == "binance answers again"


async def test_patience_has_an_end(standin: Standin) -> None:
    async with Venue("binance", url=standin.url, patience_s=1.0) as venue:
        (listing,) = venue.find(["BTC/USDT"], "1m")
        standin.refusals += [(500, {})] * 9
        with pytest.raises(VenueError, match=r"binance does not answer \(candles of BTC/USDT\), asked"):
            await venue.rows(listing, 0, 5)


async def test_a_refusal_for_good_is_not_repeated(standin: Standin) -> None:
    async with Venue("binance", url=standin.url, patience_s=inf) as venue:
        (listing,) = venue.find(["BTC/USDT"], "1m")
        standin.refusals += [(451, {})]
        with pytest.raises(VenueError, match="binance refuses"):
            await venue.rows(listing, 0, 5)


async def test_the_time_of_the_exchange_counts(standin: Standin) -> None:
    standin.clock = FastClock(start_ms=int(time.time() * 1000) - 7_000)
    said: list[str] = []
    async with Venue("binance", url=standin.url, say=said.append) as venue:
        assert isinstance(venue.clock, WallClock)
        assert -7_500 < venue.clock.ahead_ms < -6_500
    assert "off this machine's clock" in said[0]


def test_an_exchange_that_there_is_not_is_named_with_what_comes_near() -> None:
    with pytest.raises(SettingsError, match="no exchange 'binanse': did you mean binance"):
        Venue("binanse")


def test_an_answer_that_never_comes_is_a_time_out() -> None:
    assert issubclass(ccxt.RequestTimeout, ccxt.NetworkError)
