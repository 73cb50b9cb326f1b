import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import uuid4

import pytest

from stream_lstm.errors import EmbeddedKafkaError
from stream_lstm.streaming.embedded import EmbeddedKafka


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
