from collections.abc import AsyncIterator

import pytest

from stream_lstm.kafka.connection import KafkaConnection
from tests.client.scripted import Installation, Worker


@pytest.fixture
def connection(kafka: str) -> KafkaConnection:
    return KafkaConnection(bootstrap_servers=kafka, client_id="test")


@pytest.fixture
async def installation(connection: KafkaConnection, prefix: str) -> AsyncIterator[Installation]:
    installation = Installation(connection, prefix)
    await installation.create()
    yield installation
    await installation.stop()


@pytest.fixture
async def worker(installation: Installation) -> AsyncIterator[Worker]:
    async with Worker(installation) as worker:
        yield worker
