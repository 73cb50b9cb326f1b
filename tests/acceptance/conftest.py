import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from stream_lstm.candles.moments import Moment
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.kafka.records import Record
from stream_lstm.kafka.topics import FOR_EVER, TopicNames, specs
from stream_lstm.streaming.feeder import Feeder
from tests.acceptance.rights import Rights, rights
from tests.secured import Secured, secured_kafka


class Application:
    """One installation on a real Kafka: its topics, its worker processes, and what is in its log."""

    def __init__(self, kafka: str, prefix: str, folder: Path) -> None:
        self.connection = KafkaConnection(kafka, client_id="acceptance")
        self.names = TopicNames(prefix)
        self.candles = f"{prefix}candles"
        self.folder = folder
        self.workers: list[BoundProcess] = []

    @property
    def settings(self) -> dict[str, str]:
        """What every worker of this installation is given."""
        return {
            "kafka.bootstrap_servers": self.connection.bootstrap_servers,
            "kafka.group": self.names.prefix.rstrip("."),
            "topics.prefix": self.names.prefix,
            "inputs": f'[{{"topic": "{self.candles}"}}]',
            "store.url": (self.folder / "store").as_uri(),
            "metrics.port": "0",
            "start_at": "earliest",
        }

    async def create_topics(self, partitions: int = 3) -> None:
        wanted = specs(
            self.names,
            [self.candles],
            partitions=partitions,
            candle_retention_ms=FOR_EVER,
            output_retention_ms=FOR_EVER,
        )
        await topic_admin.create(self.connection, wanted, Deadline(30))

    def start_worker(self, *, under: Sequence[str] = (), **settings: str) -> BoundProcess:
        """`stream-lstm run` from the earliest candle on; names of settings with `__` for the point.

        `under` comes before the command: a program that runs it in other surroundings.
        """
        given = self.settings | {name.replace("__", "."): value for name, value in settings.items()}
        options = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
        command = [*under, sys.executable, "-m", "stream_lstm", "run", *options]
        worker = BoundProcess(command, self.folder / f"worker-{len(self.workers)}.log")
        self.workers.append(worker)
        return worker

    def log_of(self, worker: int) -> str:
        return (self.folder / f"worker-{worker}.log").read_text()

    async def logged(self, text: str, worker: int = 0, times: int = 1, seconds: float = 90) -> None:
        """Wait until a worker has said something so many times."""

        async def said() -> bool:
            return self.log_of(worker).count(text) >= times

        try:
            await self.until(said, seconds)
        except TimeoutError:
            raise AssertionError(f"not said: {text!r} in:\n{self.log_of(worker)[-6000:]}") from None

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """What the workers have said of a kind."""
        events = [orjson.loads(record.value) for record in await self.read("model-events")]
        return [event for event in events if event["type"] == kind]

    async def feed(self, moments: Iterable[Moment], speed: float | None = None) -> None:
        async with Feeder(self.connection, self.candles) as feeder:
            await (feeder.pour(moments) if speed is None else feeder.play(moments, speed))

    async def send(self, records: Iterable[tuple[bytes | None, int]]) -> None:
        """Values and timestamps into the first partition of the candles."""
        producer = BatchProducer(self.connection, {"candles": self.candles})
        await producer.start(Deadline(20))
        made = [Record("candles", b"k", value, (), timestamp) for value, timestamp in records]
        await producer.send(made, Deadline(60))
        await producer.stop(Deadline(5))

    async def read(self, logical: str) -> list[ConsumerRecord]:
        """All that a topic holds, partition after partition."""
        topic = self.names[logical]
        async with LogReader(self.connection, Deadline(60)) as reader:
            spans = await reader.spans(await reader.partitions(topic))
            found = [record async for record in reader.read(spans)]
        return sorted(found, key=lambda record: (record.partition, record.offset))

    async def count(self, logical: str) -> int:
        topic = self.names[logical]
        async with LogReader(self.connection, Deadline(60)) as reader:
            spans = await reader.spans(await reader.partitions(topic))
        return sum(span.stop - span.start for span in spans.values())

    async def until(self, reached: Callable[[], Awaitable[bool]], seconds: float = 90) -> None:
        """Wait for something; a worker that has died meanwhile fails the test with its log."""
        async with asyncio.timeout(seconds):
            while not await reached():
                for number, worker in enumerate(self.workers):
                    assert worker.exit_code in (None, 0, -9), self.log_of(number)[-4000:]
                await asyncio.sleep(0.2)


@asynccontextmanager
async def installed(kafka: str, prefix: str, folder: Path, partitions: int = 3) -> AsyncIterator[Application]:
    """An installation whose workers are stopped at the end."""
    application = Application(kafka, prefix, folder)
    await application.create_topics(partitions)
    yield application
    for worker in application.workers:
        await asyncio.to_thread(worker.stop, 20)


@pytest.fixture
async def application(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with installed(kafka, prefix, tmp_path) as application:
        yield application


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as secured:
        yield secured


@pytest.fixture
async def own(secured: Secured, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with installed(secured.kafka.bootstrap_servers, prefix, tmp_path) as application:
        yield application


@pytest.fixture
async def given(secured: Secured) -> AsyncIterator[Rights]:
    async with rights(secured.kafka.bootstrap_servers) as given:
        yield given
