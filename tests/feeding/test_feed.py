"""What is in the topic after an exchange was fed into it, whatever the exchange did meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from stream_lstm.errors import SettingsError, TopicMissing
from stream_lstm.exchange.markets import Listing
from stream_lstm.feeding.bootstrap import Target, from_exchange
from stream_lstm.feeding.feed import Feed
from stream_lstm.feeding.tending import Manner
from tests.feeding.conftest import STEP, Scene

SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
MANNER = Manner(settle_ms=20_000, forming_ms=15_000, hold_ms=900_000)


@asynccontextmanager
async def fed(scene: Scene, manner: Manner = MANNER) -> AsyncIterator[Feed]:
    async with scene.venue(patience_s=float("inf")) as venue:
        feed = Feed(scene.target, venue, venue.find(SYMBOLS, "1m"), manner, scene.said.append)
        running = asyncio.create_task(feed.run())
        try:
            yield feed
        finally:
            running.cancel()
            await asyncio.wait({running})
            if not running.cancelled():
                running.result()


async def loaded(scene: Scene, candles: int) -> list[Listing]:
    async with scene.venue() as venue:
        listings = venue.find(SYMBOLS, "1m")
        await from_exchange(scene.target, venue, listings, candles, warn=scene.said.append)
        return listings


async def more(feed: Feed, candles: int, seconds: float = 30) -> None:
    """Wait until so many more candles are out."""
    wanted = feed.fed.closed + candles
    async with asyncio.timeout(seconds):
        while feed.fed.closed < wanted:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)


async def check(scene: Scene, listings: Sequence[Listing], *, corrected: int = 0) -> int:
    """Nothing missing, nothing early, nothing twice but what was corrected; how many candles there are."""
    written, by_worker = await scene.written(), await scene.closed_by_a_worker()
    total = 0
    for listing in listings:
        closed = [update for update in written[listing.series] if update.closed]
        opens = [update.open_ms for update in closed]
        each = sorted(set(opens))
        assert all(later - earlier == STEP for earlier, later in pairwise(each)), "a candle is missing"
        assert len(opens) - len(each) <= corrected, "a candle is there twice"
        for open_ms in each:
            last = [update for update in closed if update.open_ms == open_ms][-1]
            assert last[:8] == scene.truth(listing, open_ms), "a candle is not as it ended"
        latest = -1
        for update in written[listing.series]:
            if update.closed:
                latest = max(latest, update.open_ms)
            else:
                assert update.open_ms == latest + STEP, "a candle was shown before what closed before it"
        firsts = {candle.open_ms: candle for candle in reversed(by_worker[listing.series])}
        for open_ms, candle in firsts.items():
            if not corrected:
                assert candle == scene.truth(listing, open_ms), "a worker closes it early"
        assert sorted(firsts) == each
        total += len(each)
    return total


async def test_bootstrap_and_feed_meet_without_a_seam(scene: Scene) -> None:
    listings = await loaded(scene, 50)
    await asyncio.sleep(1.2)  # a candle closes in between
    async with fed(scene) as feed:
        await more(feed, 9)
        async with asyncio.timeout(20):
            while not feed.fed.forming:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.05)
    assert await check(scene, listings) >= 3 * 50 + 9
    written = await scene.written()
    assert {update.closed for updates in written.values() for update in updates} == {True, False}


@pytest.mark.slow
async def test_through_faults_no_candle_is_missing_doubled_or_early(scene: Scene) -> None:
    exchange = scene.exchange
    listings = await loaded(scene, 40)
    exchange.doubles = exchange.reorders = True
    exchange.rest_lag_ms, exchange.late_ms = 8_000, 12_000
    async with fed(scene) as feed:
        await more(feed, 9)
        await exchange.drop_connections()
        await more(feed, 6)
        await exchange.drop_connections(rudely=True)
        exchange.refusals += [(500, {}), (429, {"Retry-After": "1"}), (503, {})]
        await more(feed, 9)
        exchange.refuses_streams = True
        await exchange.drop_connections()
        await more(feed, 9)
        exchange.refuses_streams = False
        await more(feed, 6)
    connections = exchange.streams
    await asyncio.sleep(3)  # nobody feeds for three candles
    async with fed(scene) as again:
        await more(again, 15)
    assert connections >= 4
    assert feed.fed.losses >= 3
    assert feed.fed.corrections == again.fed.corrections == 0
    assert feed.fed.absent == again.fed.absent == 0
    assert await check(scene, listings) >= 3 * 40 + 39 + 15


@pytest.mark.slow
async def test_an_exchange_that_is_away_for_long_is_healed_and_the_wait_is_said(scene: Scene) -> None:
    listings = await loaded(scene, 20)
    async with fed(scene) as feed:
        await more(feed, 3)
        scene.exchange.refusals += [(418, {"Retry-After": "2"})] * 2
        scene.exchange.refuses_streams = True
        await scene.exchange.drop_connections(rudely=True)
        await asyncio.sleep(4)
        scene.exchange.refuses_streams = False
        await more(feed, 12)
    assert any("waits" in line and "DDoSProtection" in line for line in scene.said), "\n".join(scene.said)
    await check(scene, listings)


async def test_a_late_correction_is_published_again(scene: Scene) -> None:
    listings = await loaded(scene, 20)
    async with fed(scene, Manner(settle_ms=20_000, forming_ms=0)) as feed:
        await more(feed, 3)
        newest = max(update.open_ms for update in (await scene.written())[listings[0].series])
        wrong = scene.truth(listings[0], newest)
        scene.exchange.corrected["BTC/USDT", newest] = round(wrong.close * 1.0005, 6)
        await more(feed, 6)
    assert feed.fed.corrections == 1
    assert feed.fed.forming == 0
    assert any("were corrected" in line for line in scene.said)
    await check(scene, listings, corrected=1)


@pytest.mark.slow
async def test_a_candle_that_the_exchange_has_not_is_passed_over_and_said(scene: Scene) -> None:
    await loaded(scene, 20)
    now_ms = scene.exchange.clock.now_ms()
    hole = (now_ms // STEP + 2) * STEP
    scene.exchange.untraded.add(("ETH/USDT", hole))
    async with fed(scene) as feed:
        await more(feed, 15)
    assert feed.fed.absent == 1
    assert any("has no candle of ETH/USDT" in line for line in scene.said)
    (ethereum,) = (updates for key, updates in (await scene.written()).items() if key.symbol == "ETHUSDT")
    opens = [update.open_ms for update in ethereum if update.closed]
    assert hole not in opens
    assert hole + STEP in opens


async def test_without_a_stream_it_asks(scene: Scene) -> None:
    async with fed(scene, Manner(settle_ms=20_000, forming_ms=15_000, stream=False)) as feed:
        await more(feed, 9)
    assert scene.exchange.streams == 0
    assert feed.fed.forming > 0
    async with scene.venue() as venue:
        await check(scene, venue.find(SYMBOLS, "1m"))
    assert any("holds nothing of BTC/USDT, ETH/USDT, SOL/USDT" in line for line in scene.said)


async def test_a_topic_that_is_not_there_is_an_error_with_the_way_out(scene: Scene) -> None:
    async with scene.venue() as venue:
        listings = venue.find(SYMBOLS, "1m")
        nowhere = Target(scene.target.connection, "nowhere")
        with pytest.raises(TopicMissing, match="topics create"):
            await asyncio.wait_for(from_exchange(nowhere, venue, listings, 10, warn=print), 60)


async def test_a_wrong_symbol_is_an_error_that_names_what_comes_near(scene: Scene) -> None:
    async with scene.venue() as venue:
        with pytest.raises(SettingsError, match=r"no market 'BTC/USD': did you mean BTC/USDT"):
            venue.find(["BTC/USD"], "1m")
        with pytest.raises(SettingsError, match="no such interval"):
            venue.find(["BTC/USDT"], "2w")
