"""`stream-lstm demo`: a market played to a worker, live, and what came of it in a few numbers."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from stream_lstm.demo import market
from stream_lstm.demo.latency import scrape
from stream_lstm.demo.market import Market
from stream_lstm.demo.stage import START_SECONDS, Stage, Summary, Viewer
from stream_lstm.errors import SettingsError
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.kafka_jars import find_kafka
from stream_lstm.kafka.topics import CANDLES, FOR_EVER, TopicNames, specs
from stream_lstm.streaming.ends import Stopped, abandonable, signals, told, unless, until, watching
from stream_lstm.streaming.feeder import Feeder
from stream_lstm.streaming.worker_process import WorkerProcess

_PARTITIONS: Final = 3
_DRAIN_SECONDS: Final = 15.0
_SETTLE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be shown. Raises `SettingsError` for what cannot be."""

    seconds: float | None = None
    """Length of the play; None for until told to stop, or the files' end."""
    speed: float = 10.0
    """Candles per second and series."""
    series: int = 6
    """Of the synthetic market; files have their own."""
    files: Sequence[Path] = ()
    """Real candles, instead of the synthetic market."""

    def __post_init__(self) -> None:
        for name, value, most in (("--for", self.seconds, 1e6), ("--speed", self.speed, 1e4)):
            if value is not None and not 0 < value <= most:
                raise SettingsError(f"{name} {value:g}: write a number above 0, at most {most:g}")
        if not 1 <= self.series <= 1_000:
            raise SettingsError(f"--series {self.series}: write a number from 1 to 1000")


async def run(wanted: Wanted, viewer: Viewer, step: Callable[[str], None]) -> Summary | None:
    """Start everything, play, stop everything; None if told to stop before the play had begun.

    Ends after `wanted.seconds`, at the end of the files, or by SIGINT, SIGTERM and SIGHUP, and leaves no
    process and no folder behind. `step` is told what is being done. Raises `EmbeddedKafkaError`,
    `SettingsError` and `BadCandle` for files, and `StreamLstmError` with its last words if the worker dies.
    """
    played = market.of_files(wanted.files) if wanted.files else market.synthetic(wanted.series)
    with (
        signals() as stop,
        TemporaryDirectory(prefix="stream-lstm-demo-", ignore_cleanup_errors=True) as folder,
        suppress(Stopped),
    ):
        async with watching(told(stop)) as (stopped,):
            step("Looking for Kafka: the first time, 36 MB are fetched")
            await unless(abandonable(find_kafka), stopped)
            step("Starting Kafka")
            async with EmbeddedKafka(Path(folder) / "kafka") as kafka:
                show = _Show(wanted, played, Stage(viewer, step), stopped, Path(folder))
                return await show.set_up(KafkaConnection(kafka.bootstrap_servers, "stream-lstm-demo"))
    return None


@dataclass(slots=True)
class _Show:
    """One show, once Kafka runs."""

    wanted: Wanted
    market: Market
    stage: Stage
    stopped: "asyncio.Task[None]"
    folder: Path

    async def set_up(self, connection: KafkaConnection) -> Summary:
        self.stage.step("Creating the topics")
        kept = {"candle_retention_ms": FOR_EVER, "output_retention_ms": FOR_EVER}
        wanted = specs(TopicNames(), [CANDLES], partitions=_PARTITIONS, **kept)
        await topic_admin.create(connection, wanted, Deadline(START_SECONDS))
        self.stage.step("Starting the worker")
        settings = _settings(connection, self.folder)
        async with (
            WorkerProcess(settings, self.folder / "worker.log") as worker,
            Feeder(connection, CANDLES) as feeder,
            watching(worker.ended(), self.stage.listening(connection, TopicNames())) as failures,
        ):
            return await self._perform(worker, feeder, failures)

    async def _perform(
        self, worker: WorkerProcess, feeder: Feeder, failures: "list[asyncio.Task[None]]"
    ) -> Summary:
        stage, last = self.stage, self.market.last
        url = await unless(self._started(worker, feeder), *failures, self.stopped)
        async with watching(stage.refreshing(url)) as view:
            ends = [*failures, *view]
            await unless(stage.caught_up(worker, last), *ends, self.stopped)
            await unless(stage.begin(url, max(last.values())), *ends, self.stopped)
            with suppress(Stopped):
                await unless(self._played(feeder), *ends, self.stopped)
            stage.ended = time.monotonic()
            stage.step("Waiting for the last predictions")
            await unless(self._drained(), *ends)
        stage.latest = await asyncio.to_thread(scrape, url)
        stage.step("Stopping")
        return stage.summary()

    async def _started(self, worker: WorkerProcess, feeder: Feeder) -> str:
        """Preload while the worker starts; its address."""
        await feeder.pour(self.market.history)
        self.stage.preloaded = feeder.sent
        self.stage.played = lambda: feeder.sent - self.stage.preloaded
        return await self.stage.address(worker)

    async def _played(self, feeder: Feeder) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wanted.seconds):
                await feeder.play(self.market.play, self.wanted.speed)

    async def _drained(self) -> None:
        """Wait until all that was played is answered, or for as long as may be."""
        stage = self.stage
        with suppress(TimeoutError):
            await until(lambda: stage.tally.answered >= stage.played(), _DRAIN_SECONDS)
        await asyncio.sleep(_SETTLE_SECONDS)  # the scores of the last candle come by another topic


def _settings(connection: KafkaConnection, folder: Path) -> dict[str, object]:
    """What of the worker's settings is not the default, or must not come from somebody's environment."""
    return {
        "kafka.bootstrap_servers": connection.bootstrap_servers,
        "kafka.group": "stream-lstm-demo",
        "topics.prefix": "",
        "inputs": [{"topic": CANDLES}],
        "start_at": "earliest",
        "store.url": (folder / "store").as_uri(),
        "metrics.host": "127.0.0.1",
        "metrics.port": "0",
        "training.timeout": "30s",
        "history.candles": "4000",
        "worker.shutdown_timeout": "8s",
    }
