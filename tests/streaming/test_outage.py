"""A broker of their own, which these tests kill."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from stream_lstm.errors import BrokerError, EmbeddedKafkaError, PartitionLost
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.group import GroupConsumer
from stream_lstm.kafka.membership import GroupConfig
from stream_lstm.kafka.rebalance import Assigned
from stream_lstm.kafka.records import Record
from stream_lstm.streaming.publisher import AtLeastOnce

CreateTopic = Callable[..., Awaitable[str]]
ReadAll = Callable[[str], Awaitable[list[ConsumerRecord]]]


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedKafka]:
    broker = EmbeddedKafka()
    try:
        broker.start()
    except EmbeddedKafkaError as error:
        broker.stop()
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Kafka: {error}")
    yield broker
    broker.stop()


@pytest.fixture
def kafka(broker: EmbeddedKafka) -> str:
    """In the place of the session's broker."""
    return broker.bootstrap_servers


@dataclass
class Worker:
    group: GroupConsumer
    publisher: AtLeastOnce
    place: TopicPartition
    topic: str


@pytest.fixture
async def worker(connection: KafkaConnection, create_topic: CreateTopic) -> AsyncIterator[Worker]:
    """A member with one open partition, whose outputs go into the topic that it reads."""
    topic = await create_topic()
    group = GroupConsumer(
        connection, GroupConfig(group_id=topic, pattern=f"^(?:{topic})$", session_timeout_s=30)
    )
    publisher = AtLeastOnce(connection, group, {"scores": topic}, timeout_s=60)
    await group.start(Deadline(20))
    await publisher.start(Deadline(20))
    while not (changes := group.changes()):
        await group.poll(1, 1)
    (assigned,) = changes
    assert isinstance(assigned, Assigned)
    (place,) = assigned.partitions
    group.seek_and_resume(place, await publisher.open(place) or 0)
    yield Worker(group, publisher, place, topic)
    await publisher.stop(Deadline(1))
    await group.stop(Deadline(1))


def score(number: int) -> Record:
    return Record("scores", b"k", b"%d" % number)


async def consume(group: GroupConsumer, count: int) -> list[int]:
    numbers: list[int] = []
    async with asyncio.timeout(60):
        while len(numbers) < count:
            for records in (await group.poll(1000, 1)).values():
                numbers += [int(record.value) for record in records]
    return numbers


@pytest.mark.slow
async def test_a_killed_broker_that_comes_back_costs_nothing(
    worker: Worker, broker: EmbeddedKafka, read_all: ReadAll
) -> None:
    async def publish() -> None:
        for number in range(300):
            await worker.publisher.publish(worker.place, [score(number)], number)
            await asyncio.sleep(0.005)

    publishing = asyncio.create_task(publish())
    consuming = asyncio.create_task(consume(worker.group, 300))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.restart)
    await publishing
    assert await consuming == list(range(300))
    assert [int(record.value) for record in await read_all(worker.topic)] == list(range(300))
    assert await worker.group.committed(worker.place, Deadline(20)) == 299


@pytest.mark.slow
async def test_without_its_broker_everything_ends_with_our_error_in_time(
    worker: Worker, broker: EmbeddedKafka
) -> None:
    await asyncio.to_thread(broker.kill)
    try:
        async with asyncio.timeout(20):
            worker.publisher.timeout_s = 0.5
            with pytest.raises(PartitionLost, match="not acknowledged in time"):
                await worker.publisher.publish(worker.place, [score(1)], 1)
            with pytest.raises(PartitionLost, match="not committed"):
                await worker.group.commit({worker.place: 1}, Deadline(0.5))
            with pytest.raises(BrokerError, match="no committed offset"):
                await worker.group.committed(worker.place, Deadline(0.5))
            assert await worker.group.poll(100, 0.2) == {}
            worker.publisher.publish_soon([score(2)])
            await worker.publisher.stop(Deadline(0.5))
            await worker.group.stop(Deadline(0.5))
    finally:
        await asyncio.to_thread(broker.restart)


@pytest.mark.slow
async def test_what_rests_on_no_offset_is_sent_again_until_it_is_out(
    worker: Worker, broker: EmbeddedKafka
) -> None:
    await asyncio.to_thread(broker.kill)
    worker.publisher.timeout_s = 0.3
    worker.publisher.publish_soon([score(1), score(2)])
    await asyncio.sleep(1)
    await asyncio.to_thread(broker.restart)
    numbers = await consume(worker.group, 2)
    assert numbers[:2] == [1, 2]
