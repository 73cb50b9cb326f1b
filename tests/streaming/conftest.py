from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream_lstm.streaming.connection import Deadline, KafkaConnection
from stream_lstm.streaming.log_reader import LogReader

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]
ReadAll = Callable[[str], Awaitable[list[ConsumerRecord]]]


@pytest.fixture
def connection(kafka: str) -> KafkaConnection:
    return KafkaConnection(bootstrap_servers=kafka, client_id="test")


@pytest.fixture
async def admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await client.start()
    yield client
    await client.close()


@pytest.fixture
def create_topic(admin: AIOKafkaAdminClient) -> CreateTopic:
    async def create(partitions: int = 1) -> str:
        topic = f"t{uuid4().hex}"
        # Retention goes by the records' timestamps, and ours lie years back.
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs={"retention.ms": "-1"})])
        return topic

    return create


@pytest.fixture
def produce(kafka: str) -> Produce:
    async def produce(
        topic: str,
        values: Iterable[bytes],
        *,
        partition: int = 0,
        timestamps: Iterable[int] | None = None,
        transaction: bool = False,
        abort: bool = False,
    ) -> None:
        options = {"transactional_id": uuid4().hex} if transaction or abort else {}
        async with AIOKafkaProducer(bootstrap_servers=kafka, **options) as producer:
            if options:
                await producer.begin_transaction()
            values = list(values)
            for value, time in zip(values, timestamps or [None] * len(values), strict=True):
                await producer.send(topic, value, partition=partition, timestamp_ms=time)
            if abort:
                await producer.flush()
                await producer.abort_transaction()
            elif options:
                await producer.commit_transaction()

    return produce


@pytest.fixture
def read_all(connection: KafkaConnection) -> ReadAll:
    """Everything in a topic, partition after partition."""

    async def read(topic: str) -> list[ConsumerRecord]:
        async with LogReader(connection, Deadline(20)) as reader:
            spans = await reader.spans(await reader.partitions(topic))
            found = [record async for record in reader.read(spans)]
        return sorted(found, key=lambda record: (record.partition, record.offset))

    return read
