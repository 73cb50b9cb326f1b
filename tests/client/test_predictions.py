"""The stream of predictions over a real Kafka."""

import asyncio
import logging
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from stream_lstm.client import BrokerError, KafkaConnection, Prediction, PredictionStream
from stream_lstm.errors import TopicMissing
from stream_lstm.kafka.embedded import EmbeddedKafka
from tests.client.scripted import AS_OF, HOUR, Installation, prediction

pytestmark = pytest.mark.kafka


def stream_of(installation: Installation, **options: Any) -> PredictionStream:
    return PredictionStream(installation.connection, prefix=installation.names.prefix, **options)


async def take(stream: PredictionStream, count: int) -> list[Prediction]:
    """The next `count` of them."""
    found: list[Prediction] = []
    async with asyncio.timeout(60):
        async for each in stream:
            found.append(each)
            if len(found) == count:
                break
    return found


def hours(found: list[Prediction]) -> list[int]:
    return [(each.as_of - AS_OF) // HOUR for each in found]


async def test_it_begins_with_the_latest_of_each_series_and_horizon_and_follows(
    installation: Installation,
) -> None:
    for hour in range(3):
        await installation.say(
            *(prediction(symbol, h, AS_OF + hour * HOUR) for symbol in "ABC" for h in ("1h", "4h"))
        )
    async with stream_of(installation) as stream:
        latest = await take(stream, 6)
        assert {(each.symbol, each.horizon) for each in latest} == {
            (s, h) for s in "ABC" for h in ("1h", "4h")
        }
        assert hours(latest) == [2] * 6
        await installation.say(prediction("A", "1h", AS_OF + 3 * HOUR))
        (followed,) = await take(stream, 1)
    assert (followed.symbol, followed.as_of) == ("A", AS_OF + 3 * HOUR)
    assert isinstance(followed, Prediction)


async def test_what_is_said_after_entering_is_all_given_though_the_latest_are_read_later(
    installation: Installation,
) -> None:
    await installation.say(*(prediction(as_of=AS_OF + hour * HOUR) for hour in range(5)))
    async with stream_of(installation) as stream:
        await installation.say(*(prediction(as_of=AS_OF + hour * HOUR) for hour in range(5, 10)))
        assert hours(await take(stream, 6)) == [4, 5, 6, 7, 8, 9]


async def test_without_the_latest_it_begins_with_what_is_said_after_entering(
    installation: Installation,
) -> None:
    await installation.say(prediction())
    async with stream_of(installation, latest=False) as stream:
        await installation.say(prediction(as_of=AS_OF + HOUR))
        assert hours(await take(stream, 1)) == [1]


async def test_repeats_and_what_is_older_are_dropped_and_a_revision_replaces(
    installation: Installation,
) -> None:
    async with stream_of(installation) as stream:
        await installation.say(
            prediction(as_of=AS_OF),
            prediction(as_of=AS_OF, generatedAt=1_728_126_009_999),
            prediction(as_of=AS_OF, revision=1),
            prediction(as_of=AS_OF, revision=0),
            prediction(as_of=AS_OF + HOUR),
            prediction(as_of=AS_OF, revision=2),
            prediction(as_of=AS_OF + 2 * HOUR),
        )
        found = await take(stream, 4)
    assert [(hour, each.revision) for hour, each in zip(hours(found), found, strict=True)] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (2, 0),
    ]


async def test_only_what_is_chosen_is_given(installation: Installation) -> None:
    said = [
        *(prediction(symbol, horizon) for symbol in "ABC" for horizon in ("1h", "4h")),
        prediction("A", "4h") | {"exchange": "okx", "id": f"okx:A:1h:{AS_OF}:4h"},
    ]
    await installation.say(*said)
    options = {"symbols": ["A", "C"], "horizons": ["4h"], "exchange": "binance", "interval": "1h"}
    async with stream_of(installation, **options) as stream:
        await installation.say(prediction("C", "4h", AS_OF + HOUR))
        found = await take(stream, 3)
    assert sorted((each.symbol, each.horizon) for each in found) == [("A", "4h"), ("C", "4h"), ("C", "4h")]


async def test_what_is_not_fresh_by_the_clock_is_dropped(installation: Installation) -> None:
    await installation.say(*(prediction(str(age), "1h", AS_OF - age * HOUR) for age in range(4)))
    now = AS_OF / 1000 + 60
    async with stream_of(installation, fresh_within=3700, clock=lambda: now) as stream:
        found = await take(stream, 2)
        await installation.say(prediction("2", "1h", AS_OF - HOUR))
        found += await take(stream, 1)
    assert [each.symbol for each in found] == ["1", "0", "2"]


async def test_what_cannot_be_read_is_skipped_and_said(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    broken = prediction(as_of=AS_OF + HOUR) | {"lastClose": -1}
    with caplog.at_level(logging.WARNING, "stream_lstm.client"):
        async with stream_of(installation) as stream:
            for value in (None, b"", b"rubbish", b"[1]", b'"a"', b'{"asOf": 1}', b'{"asOf": {}}'):
                await installation.say_raw(value)
            await installation.say(broken, prediction(as_of=AS_OF + HOUR), prediction(as_of=AS_OF + 2 * HOUR))
            assert hours(await take(stream, 2)) == [1, 2]
    assert f"{installation.names['predictions']}[" in caplog.text
    assert "lastClose: Input should be greater than 0" in caplog.text
    assert caplog.text.count("is skipped") == 8


async def test_a_long_topic_is_not_read_whole(installation: Installation) -> None:
    await installation.say(prediction("OLD"), *(prediction("A", as_of=AS_OF + n * HOUR) for n in range(50)))
    async with stream_of(installation, look_back=10) as stream:
        await installation.say(prediction("NEW"))
        found = await take(stream, 2)
    assert {each.symbol for each in found} <= {"A", "NEW", "OLD"}
    assert stream._given.keys() == {
        (each.exchange, each.symbol, each.interval, each.horizon) for each in found
    }


async def test_leaving_the_loop_loses_nothing(installation: Installation) -> None:
    await installation.say(*(prediction(as_of=AS_OF + hour * HOUR) for hour in range(2)))
    async with stream_of(installation, latest=False) as stream:
        await installation.say(*(prediction(as_of=AS_OF + hour * HOUR) for hour in range(2, 8)))
        assert hours(await take(stream, 2) + await take(stream, 4)) == [2, 3, 4, 5, 6, 7]


async def test_a_missing_topic_is_named(connection: KafkaConnection, prefix: str) -> None:
    with pytest.raises(TopicMissing, match=f"no topic '{prefix}predictions'"):
        async with PredictionStream(connection, prefix=prefix):
            pass


async def test_without_kafka_it_says_so_in_time() -> None:
    with pytest.raises(BrokerError, match="cannot start a reader"):
        async with PredictionStream("127.0.0.1:1", start_seconds=0.5):
            pass


@pytest.mark.slow
async def test_a_killed_broker_that_comes_back_costs_nothing(
    private_kafka: EmbeddedKafka, prefix: str
) -> None:
    installation = Installation(KafkaConnection(private_kafka.bootstrap_servers), prefix)
    await installation.create()
    await installation.say(prediction())
    async with stream_of(installation) as stream:
        found = await take(stream, 1)
        await asyncio.to_thread(private_kafka.kill)
        following = asyncio.create_task(take(stream, 6))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(private_kafka.restart)
        for hour in range(1, 7):
            await installation.say(prediction(as_of=AS_OF + hour * HOUR))
        found += await following
    await installation.stop()
    assert hours(found) == list(range(7))


async def test_what_was_aborted_is_not_given_and_ends_of_transactions_hold_nothing_up(
    installation: Installation,
) -> None:
    async def transaction(hour: int, *, commit: bool) -> None:
        servers, topic = installation.connection.bootstrap_servers, installation.names["predictions"]
        async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=uuid4().hex) as producer:
            await producer.begin_transaction()
            body = prediction(as_of=AS_OF + hour * HOUR)
            await producer.send_and_wait(topic, orjson.dumps(body), b"BTCUSDT", partition=0)
            await (producer.commit_transaction() if commit else producer.abort_transaction())

    await transaction(0, commit=True)
    await transaction(1, commit=False)
    async with stream_of(installation) as stream:
        assert hours(await take(stream, 1)) == [0]
        await transaction(2, commit=False)
        await transaction(3, commit=True)
        assert hours(await take(stream, 1)) == [3]
