"""Outputs and offset in one transaction: all of it or nothing, and one owner at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream_lstm.errors import BrokerError, PartitionLost
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.batch_producer import BatchProducer, Transactions
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.log_reader import LogReader, Span
from stream_lstm.kafka.records import Record
from stream_lstm.kafka.topics import FOR_EVER, TopicSpec
from stream_lstm.streaming.exactly_once import ExactlyOnce
from stream_lstm.streaming.facts import FactLog

pytestmark = pytest.mark.kafka

ReadAll = Callable[[str], Awaitable[list[ConsumerRecord]]]


@dataclass
class Offsets:
    """The group's offsets, read as a worker reads them."""

    consumer: AIOKafkaConsumer

    async def committed(self, partition: tuple[str, int], deadline: Deadline) -> int | None:
        async with asyncio.timeout(deadline.remaining()):
            offset: int | None = await self.consumer.committed(TopicPartition(*partition))
            return offset

    async def commit(self, offsets: object, deadline: Deadline) -> None:
        raise AssertionError("only transactions commit")


@dataclass
class Scene:
    connection: KafkaConnection
    group: str
    topic: str
    offsets: Offsets
    clock: list[float]
    read_all: ReadAll

    @property
    def a(self) -> tuple[str, int]:
        return (self.topic, 0)

    @property
    def b(self) -> tuple[str, int]:
        return (self.topic, 1)

    @asynccontextmanager
    async def publisher(
        self, *, timeout_s: float = 20.0, most_partitions: int = 1_000
    ) -> AsyncIterator[ExactlyOnce]:
        made = ExactlyOnce(
            self.connection,
            self.offsets,
            {"scores": self.topic, "lost": "missing"},
            self.group,
            clock=lambda: self.clock[0],
            timeout_s=timeout_s,
            most_partitions=most_partitions,
        )
        await made.start(Deadline(20))
        try:
            yield made
        finally:
            await made.stop(Deadline(5))

    async def begun(self, id: str, value: bytes) -> BatchProducer:
        """A producer in the middle of a transaction of that id, its record in the log."""
        producer = BatchProducer(self.connection, {"scores": self.topic}, Transactions(id, 30.0))
        await producer.start(Deadline(20))
        assert producer._producer is not None
        await producer._producer.begin_transaction()
        await producer._deliver(await producer._fill(said(value)))
        return producer

    async def values(self) -> list[bytes | None]:
        return [record.value for record in await self.read_all(self.topic)]

    async def committed(self, partition: tuple[str, int]) -> int | None:
        await asyncio.sleep(0.2)  # a marker reaches the group's coordinator after the transaction has ended
        return await self.offsets.committed(partition, Deadline(10))


@pytest.fixture
async def scene(
    connection: KafkaConnection, create_topic: Callable[..., Awaitable[str]], prefix: str, read_all: ReadAll
) -> AsyncIterator[Scene]:
    group = f"{prefix}group"
    async with AIOKafkaConsumer(
        **connection.client_options(), group_id=group, enable_auto_commit=False
    ) as consumer:
        yield Scene(connection, group, await create_topic(2), Offsets(consumer), [0.0], read_all)


def said(*values: bytes) -> list[Record]:
    return [Record("scores", b"k", value) for value in values]


async def test_outputs_and_offset_are_committed_together(scene: Scene) -> None:
    async with scene.publisher() as publisher:
        assert await publisher.open(scene.a) is None
        await publisher.publish_all({scene.a: (said(b"1", b"2"), 10)})
        assert publisher.settled(scene.a)
    assert await scene.values() == [b"1", b"2"]
    assert await scene.committed(scene.a) == 10


async def test_who_opens_a_partition_ends_what_another_has_begun(scene: Scene) -> None:
    dying = await scene.begun(f"{scene.group}/{scene.topic}/0", b"never")
    async with scene.publisher() as publisher:
        assert await publisher.open(scene.a) is None
        await publisher.publish_all({scene.a: (said(b"1"), 3)})
    await dying.stop(Deadline(5))
    assert await scene.values() == [b"1"]
    assert await scene.committed(scene.a) == 3


async def test_a_former_owner_publishes_nothing_and_turns_no_offset_back(scene: Scene) -> None:
    async with scene.publisher() as zombie, scene.publisher() as owner:
        for one in (scene.a, scene.b):
            await zombie.open(one)
        await zombie.publish_all({scene.a: (said(b"1"), 1)})
        assert await owner.open(scene.a) == 1
        await owner.publish_all({scene.a: (said(b"2"), 2)})
        with pytest.raises(PartitionLost, match=f"{scene.topic}-0: ") as lost:
            await zombie.publish_all({scene.a: (said(b"zombie"), 1), scene.b: (said(b"b"), 7)})
        assert lost.value.partitions == {scene.a}
        assert zombie.settled(scene.b)
        with pytest.raises(PartitionLost, match="producer is gone"):
            await zombie.publish_all({scene.a: (said(b"again"), 1)})
        await owner.publish_all({scene.a: (said(b"3"), 3)})
    assert sorted(await scene.values(), key=str) == [b"1", b"2", b"3", b"b"]
    assert (await scene.committed(scene.a), await scene.committed(scene.b)) == (3, 7)


async def test_a_partition_that_was_lost_goes_on_when_it_is_opened_again(scene: Scene) -> None:
    async with scene.publisher(timeout_s=1.0) as publisher:
        await publisher.open(scene.a)
        await publisher.publish_all({scene.a: (said(b"1"), 1)})
        with pytest.raises(PartitionLost, match="not ended in time") as lost:
            await publisher.publish_all({scene.a: ([*said(b"half"), Record("lost", b"k", b"x")], 2)})
        assert lost.value.partitions == {scene.a}
        publisher.timeout_s = 20
        assert await publisher.open(scene.a) == 1
        await publisher.publish_all({scene.a: (said(b"2"), 2)})
    assert await scene.values() == [b"1", b"2"]


async def test_an_offset_without_outputs_waits_and_rides(scene: Scene) -> None:
    async with scene.publisher() as publisher:
        for one in (scene.a, scene.b):
            await publisher.open(one)
        await publisher.publish_all({scene.a: ([], 10), scene.b: ([], 20)})
        assert not publisher.settled(scene.a)
        assert await scene.committed(scene.a) is None
        scene.clock[0] = 4.9
        await publisher.publish_all({scene.a: (said(b"a"), 11), scene.b: ([], 21)})
        assert (await scene.committed(scene.a), await scene.committed(scene.b)) == (11, None)
        scene.clock[0] = 5.0
        await publisher.publish_all({})
        assert await scene.committed(scene.b) == 21
        await publisher.publish_all({scene.b: ([], 22)})
        await publisher.close([scene.b])
        assert await scene.committed(scene.b) == 22
        await publisher.publish_all({scene.a: ([], 12)})
        await publisher.close([scene.a], commit=False)
    assert await scene.committed(scene.a) == 11


async def test_events_of_the_worker_are_in_no_transaction(scene: Scene) -> None:
    async with scene.publisher() as publisher:
        publisher.publish_soon(said(b"soon"))
        async with asyncio.timeout(10):
            while await scene.values() != [b"soon"]:  # noqa: ASYNC110  a topic does not tell
                await asyncio.sleep(0.05)


async def test_more_partitions_than_allowed_are_refused_with_the_way_out(scene: Scene) -> None:
    async with scene.publisher(most_partitions=1) as publisher:
        await publisher.open(scene.a)
        await publisher.open(scene.a)
        with pytest.raises(BrokerError, match="max_transactional_partitions; start more workers"):
            await publisher.open(scene.b)


async def test_facts_in_an_open_transaction_are_waited_for(scene: Scene) -> None:
    facts = FactLog(scene.connection, scene.topic)
    other = await scene.begun(f"{scene.group}.open", b"{}")
    assert other._producer is not None
    event = (
        b'{"type":"model.trained","exchange":"x","symbol":"s","interval":"1h",'
        b'"appliedAt":{"topic":"candles","partition":0,"offset":7}}'
    )
    async with scene.publisher() as publisher:
        await publisher.open(scene.a)
        await publisher.publish_all({scene.a: (said(event), 1)})
        reading = asyncio.create_task(facts.read(Deadline(20)))
        await asyncio.sleep(0.5)
        assert not reading.done(), "the fact behind the open transaction would be missed"
        await other._producer.commit_transaction()
        assert [fact.offset for fact in await reading] == [7]
        await publisher.publish_all({scene.a: (said(event.replace(b":7", b":9")), 2)})
        assert [fact.offset for fact in await facts.read(Deadline(20))] == [7, 9]
    await other.stop(Deadline(5))


async def test_a_stretch_that_ends_with_what_was_aborted_is_read_to_its_end(
    scene: Scene, produce: Callable[..., Awaitable[None]]
) -> None:
    await produce(scene.topic, [b"1"], transaction=True)
    await produce(scene.topic, [b"x", b"y"], abort=True)
    async with LogReader(scene.connection, Deadline(20)) as reader:
        spans = await reader.written([(scene.topic, 0)])
        assert [record.value async for record in reader.read(spans)] == [b"1"]
        assert next(iter(spans.values())).stop == 5


@pytest.mark.parametrize("start", [1, 2, 3, 4])
async def test_a_stretch_that_holds_nothing_but_what_was_aborted_ends(
    scene: Scene, produce: Callable[..., Awaitable[None]], start: int
) -> None:
    """From the marker of a committed one, from the aborted records, from within them, from their marker."""
    await produce(scene.topic, [b"1"], transaction=True)
    await produce(scene.topic, [b"x", b"y"], abort=True)
    await produce(scene.topic, [b"plain"], partition=1)
    async with LogReader(scene.connection, Deadline(20)) as reader:
        spans = {scene.a: Span(start, 5), scene.b: Span(0, 1)}
        assert [record.value async for record in reader.read(spans)] == [b"plain"]


async def test_partitions_that_start_at_the_same_time_are_no_more_than_allowed(scene: Scene) -> None:
    async with scene.publisher(most_partitions=1) as publisher:
        outcomes = await asyncio.gather(*map(publisher.open, (scene.a, scene.b)), return_exceptions=True)
        assert [isinstance(outcome, BrokerError) for outcome in outcomes] == [False, True]


@pytest.mark.slow
async def test_a_broker_that_is_gone_costs_the_partitions_and_holds_nobody(
    private_kafka: EmbeddedKafka, prefix: str
) -> None:
    connection = KafkaConnection(private_kafka.bootstrap_servers, client_id="test")
    topic = TopicSpec(name=f"{prefix}scores", partitions=1, retention_ms=FOR_EVER)
    await topic_admin.create(connection, [topic], Deadline(20))
    async with AIOKafkaConsumer(**connection.client_options(), group_id=prefix) as consumer:
        publisher = ExactlyOnce(connection, Offsets(consumer), {"scores": topic.name}, prefix)
        await publisher.start(Deadline(20))
        place = (topic.name, 0)
        await publisher.open(place)
        await publisher.publish_all({place: (said(b"1"), 1)})
        publisher.timeout_s = 3.0
        private_kafka.kill()
        try:
            async with asyncio.timeout(20):
                with pytest.raises(PartitionLost, match="not ended in time"):
                    await publisher.publish_all({place: (said(b"2"), 2)})
                with pytest.raises(BrokerError):
                    await publisher.open(place)
                await publisher.stop(Deadline(8))
        finally:
            private_kafka.start()
