"""A whole installation for a benchmark: Kafka from pip, topics, a market, a worker process."""

import asyncio
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from stream_lstm.candles import moments
from stream_lstm.candles.moments import Moment
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.log_reader import LogReader, Span
from stream_lstm.kafka.topics import CANDLES, FOR_EVER, MODEL_EVENTS, PREDICTIONS, TopicNames, specs
from stream_lstm.streaming.feeder import Feeder
from stream_lstm.streaming.worker_process import WorkerProcess

START_MS: Final = 1_420_070_400_000
HOUR_MS: Final = 3_600_000
HORIZONS: Final = 4
WARM_UP: Final = 100


class Installation:
    """Where Kafka is, and what can be done with it."""

    def __init__(self, connection: KafkaConnection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self._workers = 0

    def worker(self, **settings: object) -> WorkerProcess:
        """A worker from the earliest candle on; `__` stands for the point in a setting's name."""
        given = {name.replace("__", "."): value for name, value in settings.items()}
        usual = {
            "kafka.bootstrap_servers": self.connection.bootstrap_servers,
            "store.url": (self.folder / "store").as_uri(),
            "metrics.port": "0",
            "start_at": "earliest",
        }
        self._workers += 1
        return WorkerProcess(usual | given, self.folder / f"worker-{self._workers}.log")

    async def feed(self, market: Sequence[Moment]) -> None:
        """Put candles into the topic, as fast as it takes them."""
        async with Feeder(self.connection, CANDLES) as feeder:
            await feeder.pour(market)

    async def predictions(self) -> int:
        """How many predictions are in the log."""
        async with LogReader(self.connection, Deadline(30)) as reader:
            spans = await reader.spans(await reader.partitions(PREDICTIONS))
        return sum(span.stop - span.start for span in spans.values())

    async def events(self, kind: str) -> int:
        """How many events of that type are in the log."""
        async with LogReader(self.connection, Deadline(30)) as reader:
            spans = await reader.spans(await reader.partitions(MODEL_EVENTS))
            mark = f'"type":"{kind}"'.encode()
            return sum([mark in record.value async for record in reader.read(spans)])

    async def times_since(self, count: int) -> list[int]:
        """Timestamps, epoch ms in order, of all predictions but the first `count`."""
        async with LogReader(self.connection, Deadline(120)) as reader:
            spans = await reader.spans(await reader.partitions(PREDICTIONS))
            whole = {place: Span(span.start, span.stop) for place, span in spans.items()}
            times = sorted([record.timestamp async for record in reader.read(whole)])
        return times[count:]

    async def until_said(self, predictions: int, worker: WorkerProcess, seconds: float = 600) -> None:
        """Wait until so many are there. Raises if the worker dies before."""
        dying = asyncio.create_task(worker.ended())
        try:
            async with asyncio.timeout(seconds):
                while await self.predictions() < predictions:
                    if dying.done():
                        dying.result()
                    await asyncio.sleep(0.5)
        finally:
            dying.cancel()


@asynccontextmanager
async def installation(partitions: int) -> AsyncIterator[Installation]:
    """Kafka with its topics; everything is gone afterwards."""
    with TemporaryDirectory(prefix="stream-lstm-bench-") as folder:
        async with EmbeddedKafka(Path(folder) / "kafka", heap_mb=512) as kafka:
            connection = KafkaConnection(kafka.bootstrap_servers, "bench")
            kept = {"candle_retention_ms": FOR_EVER, "output_retention_ms": FOR_EVER}
            wanted = specs(TopicNames(), [CANDLES], partitions=partitions, **kept)
            await topic_admin.create(connection, wanted, Deadline(60))
            yield Installation(connection, Path(folder))


def synthetic(series: int, candles: int) -> list[Moment]:
    """So many hourly candles of so many series."""
    names = moments.symbols(series)
    return list(islice(moments.of_market(names, interval="1h", start_ms=START_MS, seed=1), candles))


Samples = dict[str, list[tuple[dict[str, str], float]]]


async def scraped(worker: WorkerProcess) -> Samples:
    """A worker's metrics, by name without prefix: labels and values."""
    answer = await asyncio.to_thread(urllib.request.urlopen, f"{worker.address}/metrics", None, 5)
    samples: Samples = defaultdict(list)
    for family in text_string_to_metric_families(answer.read().decode()):
        for sample in family.samples:
            samples[sample.name.removeprefix("stream_lstm_")].append((sample.labels, sample.value))
    return samples
