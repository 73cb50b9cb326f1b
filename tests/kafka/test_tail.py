import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from stream_lstm.errors import BrokerError, TopicMissing
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.tail import Tail

pytestmark = pytest.mark.kafka

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]

MINUTE = 60_000
T0 = 1_700_000_000_000


async def read(tail: Tail, count: int) -> list[tuple[str, bytes]]:
    """The next `count` records at least, and what comes within a moment after them."""
    found: list[tuple[str, bytes]] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += [(topic, record.value) for topic, record in await tail.poll(0.2)]
    return found + [(topic, record.value) for topic, record in await tail.poll(0.2)]


async def test_it_reads_what_is_written_after_it_has_begun(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic(3)
    await produce(topic, [b"before"], partition=1)
    async with Tail(connection, {"scores": topic}) as tail:
        for partition in range(3):
            await produce(topic, [b"after"], partition=partition)
        assert await read(tail, 3) == [("scores", b"after")] * 3


async def test_it_reads_several_topics_from_their_beginning_under_their_logical_names(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    first, second = await create_topic(2), await create_topic()
    await produce(first, [b"1", b"2"], partition=1)
    await produce(second, [b"3"])
    async with Tail(connection, {"predictions": first, "scores": second}, "beginning") as tail:
        found = await read(tail, 3)
    assert sorted(found) == [("predictions", b"1"), ("predictions", b"2"), ("scores", b"3")]


async def test_it_begins_at_a_time_and_at_the_end_where_all_is_older(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic(2)
    times = [T0 + minute * MINUTE for minute in range(5)]
    await produce(topic, [b"%d" % minute for minute in range(5)], timestamps=times)
    await produce(topic, [b"old"], partition=1, timestamps=[T0])
    async with Tail(connection, {"scores": topic}, T0 + 3 * MINUTE) as tail:
        assert [value for _, value in await read(tail, 2)] == [b"3", b"4"]
        await produce(topic, [b"new"], partition=1, timestamps=[T0])
        assert [value for _, value in await read(tail, 1)] == [b"new"]


async def test_what_was_not_committed_is_not_read(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    async with Tail(connection, {"scores": topic}) as tail:
        await produce(topic, [b"aborted"], abort=True)
        await produce(topic, [b"committed"], transaction=True)
        assert [value for _, value in await read(tail, 1)] == [b"committed"]


async def test_it_skips_what_retention_has_removed(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce, admin: AIOKafkaAdminClient
) -> None:
    topic = await create_topic()
    await produce(topic, [b"%d" % number for number in range(10)])
    tail = Tail(connection, {"scores": topic}, "beginning")
    async with tail:
        consumer = tail._consumer
        (place,) = consumer.assignment()
        consumer.pause(place)
        await admin.delete_records({place: RecordsToDelete(before_offset=8)})
        consumer.seek(place, 0)
        consumer.resume(place)
        assert [value for _, value in await read(tail, 2)] == [b"8", b"9"]


async def test_a_missing_topic_is_named_with_the_way_out(
    connection: KafkaConnection, create_topic: CreateTopic
) -> None:
    there, missing = await create_topic(), f"t{uuid4().hex}"
    with pytest.raises(TopicMissing, match=rf"has no topic '{missing}'.*stream-lstm topics create"):
        async with Tail(connection, {"scores": there, "predictions": missing}):
            pass


async def test_without_a_broker_it_ends_in_time_with_our_error() -> None:
    nobody = KafkaConnection("127.0.0.1:1")
    async with asyncio.timeout(10):
        with pytest.raises(BrokerError, match="cannot start a reader"):
            async with Tail(nobody, {"scores": "scores"}, start_seconds=0.5):
                pass


@pytest.mark.slow
async def test_it_goes_on_where_it_was_when_a_killed_broker_is_back(private_kafka: EmbeddedKafka) -> None:
    topic = f"t{uuid4().hex}"
    servers = private_kafka.bootstrap_servers
    await _create(servers, topic)
    await _produce(servers, topic, range(5))
    async with Tail(KafkaConnection(servers), {"scores": topic}, "beginning") as tail:
        found = await read(tail, 5)
        await asyncio.to_thread(private_kafka.kill)
        assert await tail.poll(0.5) == []
        await asyncio.to_thread(private_kafka.restart)
        await _produce(servers, topic, range(5, 10))
        found += await read(tail, 5)
    assert [int(value) for _, value in found] == list(range(10))


@pytest.mark.slow
async def test_it_stops_in_time_without_its_broker(private_kafka: EmbeddedKafka) -> None:
    topic = f"t{uuid4().hex}"
    await _create(private_kafka.bootstrap_servers, topic)
    try:
        async with asyncio.timeout(15):
            async with Tail(KafkaConnection(private_kafka.bootstrap_servers), {"scores": topic}) as tail:
                await asyncio.to_thread(private_kafka.kill)
                await tail.poll(0.2)
    finally:
        await asyncio.to_thread(private_kafka.restart)


async def _create(servers: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()


async def _produce(servers: str, topic: str, numbers: range) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for number in numbers:
            await producer.send(topic, b"%d" % number)
        await producer.flush()
