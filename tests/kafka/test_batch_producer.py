from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import ConsumerRecord
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.errors import PartitionLost
from stream_lstm.kafka.batch_producer import BatchProducer, key_hash
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.records import Record

pytestmark = pytest.mark.kafka

CreateTopic = Callable[..., Awaitable[str]]
ReadAll = Callable[[str], Awaitable[list[ConsumerRecord]]]
Sender = tuple[BatchProducer, str]


@pytest.fixture
async def sender(connection: KafkaConnection, create_topic: CreateTopic) -> AsyncIterator[Sender]:
    topic = await create_topic(3)
    producer = BatchProducer(connection, {"scores": topic})
    await producer.start(Deadline(20))
    yield producer, topic
    await producer.stop(Deadline(5))


def score(number: int, size: int = 0) -> Record:
    return Record(
        "scores", b"S%d" % (number % 7), b"%d " % number + b"x" * size, (("n", b"%d" % number),), 1000
    )


@given(st.binary(), st.integers(1, 64))
def test_a_key_goes_to_the_partition_of_kafkas_default_partitioner(key: bytes, count: int) -> None:
    partitions = list(range(count))
    assert key_hash(key) % count == DefaultPartitioner()(key, partitions, partitions)


def test_a_key_goes_where_the_java_client_sends_it() -> None:
    # From the tests of org.apache.kafka.common.utils.Utils.murmur2.
    assert key_hash(b"21") == -973932308 & 0x7FFFFFFF
    assert key_hash(b"a-little-bit-long-string") == -985981536 & 0x7FFFFFFF


async def test_records_arrive_whole(sender: Sender, read_all: ReadAll) -> None:
    producer, topic = sender
    await producer.send([Record("scores", b"k", None, (("h", b"1"), ("h", b"2")), 123)], Deadline(20))
    (record,) = await read_all(topic)
    assert (record.key, record.value, record.timestamp) == (b"k", None, 123)
    assert record.headers == (("h", b"1"), ("h", b"2"))


async def test_the_order_of_a_key_is_kept_across_batches_and_calls(sender: Sender, read_all: ReadAll) -> None:
    producer, topic = sender
    for call in range(3):
        first = call * 1000
        await producer.send([score(number, 5_000) for number in range(first, first + 1000)], Deadline(20))
    by_key: dict[bytes, list[int]] = defaultdict(list)
    for record in await read_all(topic):
        by_key[record.key].append(int(record.value.split()[0]))
    assert {len(numbers) for numbers in by_key.values()} <= {428, 429}
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


async def test_records_without_a_key_are_spread(sender: Sender, read_all: ReadAll) -> None:
    producer, topic = sender
    await producer.send([Record("scores", None, b"x")] * 6, Deadline(20))
    assert [record.partition for record in await read_all(topic)] == [0, 0, 1, 1, 2, 2]


async def test_a_refused_record_is_an_error_and_the_next_ones_pass(sender: Sender, read_all: ReadAll) -> None:
    producer, topic = sender
    # Bytes that cannot be compressed below the broker's limit.
    huge = b"".join(key_hash(b"%d" % number).to_bytes(4) for number in range(600_000))
    with pytest.raises(PartitionLost, match="refused"):
        await producer.send([Record("scores", b"k", huge)], Deadline(20))
    await producer.send([score(1)], Deadline(20))
    assert [record.key for record in await read_all(topic)] == [b"S1"]


async def test_without_a_broker_it_ends_with_our_error() -> None:
    producer = BatchProducer(
        KafkaConnection(bootstrap_servers="127.0.0.1:9", client_id="test"), {"scores": "s"}
    )
    with pytest.raises(PartitionLost, match="1 records for s "):
        await producer.send([score(1)], Deadline(0.5))
