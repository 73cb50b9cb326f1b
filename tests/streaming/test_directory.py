"""Which series a command means."""

import asyncio
import time
from typing import Any

import pytest

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.command import Command
from stream_lstm.errors import StoreError
from stream_lstm.registry.claims import Claims
from stream_lstm.registry.objects import Objects
from stream_lstm.streaming.control.directory import Defaults, Directory

PLACE = ("candles", 0)
BINANCE_1H = SeriesKey("binance", "BTC/USDT", "1h")
BINANCE_4H = SeriesKey("binance", "BTC/USDT", "4h")
OKX_1H = SeriesKey("okx", "BTC/USDT", "1h")


def command(**fields: Any) -> Command:
    whole = {"symbol": "BTC/USDT", **fields}
    return Command(command="describe", command_id="c", issued_at=0, **whole)


class Store(Claims):
    """Claims of some series; may refuse to list them."""

    def __init__(self, *series: SeriesKey, refusals: int = 0) -> None:
        super().__init__(Objects("memory://"), "g")
        self.refusals = refusals
        for one in series:
            self.claim(str(one), PLACE)

    def directory(self) -> list[str]:
        if self.refusals:
            self.refusals -= 1
            raise StoreError("no route to it")
        return super().directory()


def directory(store: Claims, *own: SeriesKey, **defaults: str) -> Directory:
    return Directory(store, lambda: own, Defaults(**defaults), lambda: None)


async def meant(where: Directory, asked: Command) -> list[SeriesKey]:
    since = time.monotonic()
    async with asyncio.timeout(10):
        while (found := where.matches(asked, since)) is None:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)
    return found


async def test_a_series_that_is_named_whole_is_that_one_without_asking_anybody() -> None:
    where = directory(Store(refusals=99))
    assert where.matches(command(exchange="OKX", interval="60m"), 0.0) == [OKX_1H]


async def test_the_only_match_is_meant_whoever_has_it() -> None:
    assert await meant(directory(Store(BINANCE_1H)), command()) == [BINANCE_1H]
    assert await meant(directory(Store(), BINANCE_1H), command()) == [BINANCE_1H]
    assert await meant(directory(Store(BINANCE_1H, OKX_1H)), command(exchange="okx")) == [OKX_1H]
    assert await meant(directory(Store(BINANCE_1H)), command(symbol="ETH")) == []


async def test_defaults_decide_where_they_can_and_only_there() -> None:
    store = Store(BINANCE_1H, BINANCE_4H, OKX_1H)
    assert await meant(directory(store), command()) == [BINANCE_1H, BINANCE_4H, OKX_1H]
    assert await meant(directory(store, exchange="binance", interval="4h"), command()) == [BINANCE_4H]
    assert await meant(directory(store, exchange="kraken"), command(interval="4h")) == [BINANCE_4H]
    assert await meant(directory(store, interval="4h"), command(exchange="okx")) == [OKX_1H]


async def test_a_store_that_refuses_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_lstm.streaming.control.directory._PAUSE_SECONDS", 0.01)
    where = directory(Store(BINANCE_1H, refusals=2))
    assert await meant(where, command()) == [BINANCE_1H]
    assert where.knows(BINANCE_1H, time.monotonic())
