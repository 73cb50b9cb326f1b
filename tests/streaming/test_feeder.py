import asyncio
from collections.abc import Iterator
from itertools import islice

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles import moments
from stream_lstm.candles.moments import Moment
from stream_lstm.candles.series import Closed
from stream_lstm.errors import BrokerError
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.streaming.feeder import Feeder, Schedule
from tests.conftest import CreateTopic, ReadAll

HOUR = 3_600_000
START = 946_684_800_000
SPEEDS = st.floats(0.01, 10_000)
SECONDS = st.floats(0, 86_400)


def market(series: int, hours: int | None, start_ms: int = START) -> Iterator[Moment]:
    return islice(moments.of_market(moments.symbols(series), interval="1h", start_ms=start_ms, seed=1), hours)


def said(candle: Closed) -> tuple[str, int, float]:
    return candle.series.symbol, candle.open_ms, candle.close


@given(SPEEDS, SECONDS)
def test_after_any_delay_as_many_are_due_as_without_it(speed: float, late: float) -> None:
    schedule = Schedule(speed, began=1_000.0)
    due = schedule.due(1_000.0 + late)
    assert due == pytest.approx(late * speed + 1, abs=1.001)
    assert schedule.wait(due - 1, 1_000.0 + late) <= 2e-6  # what is due is not waited for


@given(SPEEDS, st.integers(0, 1_000))
def test_a_feeder_that_waits_as_told_finds_one_more_due(speed: float, sent: int) -> None:
    schedule = Schedule(speed, began=0.0)
    assert schedule.due(schedule.wait(sent, now=0.0) + 2e-6) >= sent + 1


async def test_all_that_is_poured_is_in_the_topic_series_by_series_in_order(
    connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic = await create_topic(3)
    progress: list[int] = []
    async with Feeder(connection, topic, progress.append) as feeder:
        await feeder.pour(market(5, 900))
    records = await read_all(topic)
    by_symbol = {
        symbol: [r.value for r in records if r.key == symbol.encode()] for symbol in moments.symbols(5)
    }
    expected = [candle for moment in market(5, 900) for candle in moment]
    for symbol, values in by_symbol.items():
        bodies = [orjson.loads(value) for value in values]
        assert [(body["symbol"], body["openTime"], body["close"]) for body in bodies] == [
            said(candle) for candle in expected if candle.series.symbol == symbol
        ]
    assert progress == [2_000, 4_000, 4_500]
    assert feeder.sent == len(records) == 4_500


async def test_the_timestamp_of_a_record_is_the_close_time_of_its_candle(
    connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic = await create_topic()
    async with Feeder(connection, topic) as feeder:
        await feeder.play(market(2, 3), speed=1_000)
    times = [record.timestamp for record in await read_all(topic)]
    assert times == [START + HOUR * n - 1 for n in (1, 1, 2, 2, 3, 3)]


async def test_play_sends_the_same_as_pour(
    connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    played, poured = await create_topic(), await create_topic()
    async with Feeder(connection, played) as feeder:
        await feeder.play(market(7, 1_200), speed=50_000)
    async with Feeder(connection, poured) as feeder:
        await feeder.pour(market(7, 1_200))
    assert [r.value for r in await read_all(played)] == [r.value for r in await read_all(poured)]


async def test_an_endless_play_ends_when_it_is_cancelled_and_knows_what_is_out(
    connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic, under_way = await create_topic(), asyncio.Event()
    async with Feeder(connection, topic, lambda sent: under_way.set() if sent > 50 else None) as feeder:
        playing = asyncio.create_task(feeder.play(market(6, None), speed=500))
        await asyncio.wait_for(under_way.wait(), 20)
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
    assert feeder.sent == len(await read_all(topic))
    assert feeder.sent % 6 == 0


async def test_a_candle_that_has_not_closed_is_not_sent(
    connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic, two_out = await create_topic(), asyncio.Event()
    century = market(1, None, start_ms=4_102_444_800_000)
    stream = (moment for source in (market(1, 2), century) for moment in source)
    async with Feeder(connection, topic, lambda sent: two_out.set() if sent == 2 else None) as feeder:
        playing = asyncio.create_task(feeder.play(stream, speed=1e6))
        await asyncio.wait_for(two_out.wait(), 20)
        await asyncio.wait({playing}, timeout=0.3)
        assert not playing.done()
        playing.cancel()
        await asyncio.wait({playing})
    assert len(await read_all(topic)) == feeder.sent == 2


async def test_what_kafka_refuses_ends_it_with_the_count_and_the_topic(
    connection: KafkaConnection, create_topic: CreateTopic
) -> None:
    topic = await create_topic()
    async with Feeder(connection, topic) as feeder:
        with pytest.raises(BrokerError, match=f"stopped after 0 candles.*{topic}"):
            await feeder.pour(market(1, 3, start_ms=4_102_444_800_000))
