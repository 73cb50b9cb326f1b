import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream_lstm.errors import EmbeddedKafkaError
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.log_reader import LogReader

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]
ReadAll = Callable[[str], Awaitable[list[ConsumerRecord]]]


@contextmanager
def embedded_kafka(
    properties: Mapping[str, str] | None = None, format_options: Sequence[str] = ()
) -> Iterator[EmbeddedKafka]:
    """A running broker; without one the test is skipped, or in CI fails."""
    broker = EmbeddedKafka(properties=properties, format_options=format_options)
    try:
        broker.start()
    except EmbeddedKafkaError as error:
        broker.stop()
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no Kafka, which is a failure in CI: {error}")
        pytest.skip(f"no Kafka: {error}")
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a real Kafka: STREAM_LSTM_TEST_KAFKA, or one embedded broker for the session."""
    if given := os.environ.get("STREAM_LSTM_TEST_KAFKA"):
        yield given
    else:
        with embedded_kafka() as broker:
            yield broker.bootstrap_servers


@pytest.fixture(scope="module")
def private_kafka() -> Iterator[EmbeddedKafka]:
    """A broker of the module's own, to be killed or frozen: a test leaves it running."""
    with embedded_kafka() as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    """A topic prefix that no other test has."""
    return f"t{uuid4().hex[:12]}."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for a broker, however indirectly, is marked `kafka`."""
    for item in items:
        if {"kafka", "private_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


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
