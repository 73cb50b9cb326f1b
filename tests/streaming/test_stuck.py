"""Workers whose broker dies; it stays dead, so that this is the only test here."""

import asyncio
import re
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.topics import FOR_EVER, TopicNames, specs
from stream_lstm.streaming.service import EXIT_STUCK

Start = Callable[..., Awaitable[BoundProcess]]


@pytest.fixture
async def start(private_kafka: EmbeddedKafka, prefix: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Start a worker on a broker of its own and wait until it is ready."""
    workers: list[BoundProcess] = []

    async def start(**settings: str) -> BoundProcess:
        connection = KafkaConnection(private_kafka.bootstrap_servers)
        wanted = specs(
            TopicNames(prefix),
            [f"{prefix}candles"],
            partitions=1,
            candle_retention_ms=FOR_EVER,
            output_retention_ms=FOR_EVER,
        )
        await topic_admin.create(connection, wanted, Deadline(30))  # those that are there stay
        given = {
            "kafka.bootstrap_servers": connection.bootstrap_servers,
            "topics.prefix": prefix,
            "inputs": f'[{{"topic": "{prefix}candles"}}]',
            "store.url": (tmp_path / "store").as_uri(),
            "metrics.port": "0",
        } | {name.replace("__", "."): value for name, value in settings.items()}
        options = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
        output = tmp_path / f"worker-{len(workers)}.log"
        worker = BoundProcess([sys.executable, "-m", "stream_lstm", "run", *options], output)
        workers.append(worker)
        async with asyncio.timeout(40):
            while not await asyncio.to_thread(is_ready, output):
                assert worker.exit_code is None, output.read_text()
                await asyncio.sleep(0.1)
        return worker

    yield start
    for worker in workers:
        worker.kill()


def is_ready(output: Path) -> bool:
    found = re.search(r"health and metrics on (http://\S+)", output.read_text())
    if not found:
        return False
    try:
        with urllib.request.urlopen(f"{found[1]}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as not_yet:
        not_yet.close()
        return False


async def ended(worker: BoundProcess, seconds: float) -> int | None:
    async with asyncio.timeout(seconds):
        while worker.exit_code is None:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    return worker.exit_code


@pytest.mark.slow
async def test_when_the_broker_dies_a_worker_can_be_stopped_and_one_that_is_not_ends_itself(
    start: Start, private_kafka: EmbeddedKafka
) -> None:
    told = await start(worker__shutdown_timeout="3s", kafka__group="told")
    left = await start(
        kafka__group="left",
        worker__stall_timeout="3s",
        kafka__rebalance_timeout="2s",
        kafka__session_timeout="2s",
        kafka__heartbeat_interval="300ms",
    )
    await asyncio.sleep(3.5)
    assert left.exit_code is None, "an idle topic alone is no reason"
    private_kafka.kill()
    await asyncio.to_thread(told.stop, 6)
    assert told.exit_code == 0
    assert await ended(left, 15) == EXIT_STUCK
