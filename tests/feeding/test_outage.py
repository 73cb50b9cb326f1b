"""A feed whose Kafka goes away."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream_lstm.kafka.embedded import EmbeddedKafka
from tests.acceptance.conftest import installed
from tests.exchange.standin import FastClock, Standin
from tests.feeding.conftest import Scene
from tests.feeding.test_feed import check, fed, loaded, more


@pytest.fixture
async def scene(private_kafka: EmbeddedKafka, prefix: str, tmp_path: Path) -> AsyncIterator[Scene]:
    clock = FastClock(speed=60, start_ms=int(time.time() * 1000) - 3 * 3_600_000)
    servers = private_kafka.bootstrap_servers
    async with Standin(clock) as exchange, installed(servers, prefix, tmp_path, partitions=2) as application:
        yield Scene(exchange, application)


@pytest.mark.slow
async def test_what_closed_while_kafka_was_away_is_there_afterwards(
    scene: Scene, private_kafka: EmbeddedKafka
) -> None:
    listings = await loaded(scene, 20)
    async with fed(scene) as feed:
        await more(feed, 6)
        await asyncio.to_thread(private_kafka.kill)
        await asyncio.sleep(3)
        await asyncio.to_thread(private_kafka.restart)
        await more(feed, 15, seconds=60)
    await check(scene, listings)
