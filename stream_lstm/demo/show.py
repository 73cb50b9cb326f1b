"""`stream-lstm demo`: a market played to a worker, live, and what came of it in a few numbers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from stream_lstm.demo import market
from stream_lstm.demo.latency import Histogram, scrape
from stream_lstm.demo.market import Market
from stream_lstm.demo.tally import Tally
from stream_lstm.errors import SettingsError, StreamLstmError
from stream_lstm.streaming import topic_admin
from stream_lstm.streaming.connection import Deadline, KafkaConnection
from stream_lstm.streaming.embedded import EmbeddedKafka
from stream_lstm.streaming.ends import Stopped, abandonable, signals, told, unless, until, watching
from stream_lstm.streaming.feeder import Feeder
from stream_lstm.streaming.kafka_jars import find_kafka
from stream_lstm.streaming.records import Header
from stream_lstm.streaming.tail import Tail
from stream_lstm.streaming.topics import CANDLES, FOR_EVER, PRODUCED, TopicNames, specs
from stream_lstm.streaming.worker_process import WorkerProcess

_PARTITIONS: Final = 3
_START_SECONDS: Final = 60.0
_CATCH_UP_SECONDS: Final = 120.0
_DRAIN_SECONDS: Final = 15.0
_SETTLE_SECONDS: Final = 0.5
_REFRESH_SECONDS: Final = 0.5
_LEVELS: Final = {"p50": 0.5, "p99": 0.99}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What came of the play, read from the topics. What was preloaded counts as `preloaded` alone."""

    seconds: float
    preloaded: int
    """Candles of the history."""
    candles: int
    predictions: int
    scores: int
    trainings: int
    dead_letters: int
    latency_ms: Mapping[str, float | None]
    """`p50` and `p99` from a record's being received to its predictions' being acknowledged."""
    coverage: Mapping[str, float]
    """Share of actual prices inside the published interval, by horizon."""
    models: Mapping[str, int]
    """Predictions by type of model."""


class Viewer(Protocol):
    """Who watches. Both methods are called in the loop and return at once."""

    def offer(self, topic: str, value: bytes | None, headers: Iterable[Header] = ()) -> None:
        """A message of `predictions`, `scores`, `model-events` or `candles.dlq`, from the preload on."""

    def refresh(self, summary: Summary) -> None:
        """How things stand, twice a second: what came of the history, and then of the play."""


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
                stage = _Stage(wanted, played, viewer, step, stopped, Path(folder))
                return await stage.set_up(KafkaConnection(kafka.bootstrap_servers, "stream-lstm-demo"))
    return None


@dataclass(slots=True)
class _Stage:
    """One show, once Kafka runs."""

    wanted: Wanted
    market: Market
    viewer: Viewer
    step: Callable[[str], None]
    stopped: "asyncio.Task[None]"
    folder: Path
    tally: Tally = field(default_factory=Tally)
    before: Histogram = field(default_factory=Histogram)
    latest: Histogram = field(default_factory=Histogram)
    began: float | None = None
    ended: float | None = None
    preloaded: int = 0

    async def set_up(self, connection: KafkaConnection) -> Summary:
        self.step("Creating the topics")
        kept = {"candle_retention_ms": FOR_EVER, "output_retention_ms": FOR_EVER}
        wanted = specs(TopicNames(), [CANDLES], partitions=_PARTITIONS, **kept)
        await topic_admin.create(connection, wanted, Deadline(_START_SECONDS))
        self.step("Starting the worker")
        settings = _settings(connection, self.folder)
        async with (
            WorkerProcess(settings, self.folder / "worker.log") as worker,
            Feeder(connection, CANDLES) as feeder,
            watching(worker.ended(), self._listening(connection)) as failures,
        ):
            return await self._perform(worker, feeder, failures)

    async def _perform(
        self, worker: WorkerProcess, feeder: Feeder, failures: "list[asyncio.Task[None]]"
    ) -> Summary:
        url = await unless(self._started(worker, feeder), *failures, self.stopped)
        async with watching(self._refreshing(url, feeder)) as view:
            ends = [*failures, *view]
            await unless(self._caught_up(worker), *ends, self.stopped)
            await unless(self._begin(url), *ends, self.stopped)
            with suppress(Stopped):
                await unless(self._played(feeder), *ends, self.stopped)
            self.ended = time.monotonic()
            self.step("Waiting for the last predictions")
            await unless(self._drained(feeder), *ends)
        self.latest = await asyncio.to_thread(scrape, url)
        self.step("Stopping")
        return self._summary(feeder)

    async def _started(self, worker: WorkerProcess, feeder: Feeder) -> str:
        """Preload while the worker starts; its address."""
        await feeder.pour(self.market.history)
        self.preloaded = feeder.sent
        await self._bounded(until(lambda: worker.address is not None, _START_SECONDS), worker)
        assert worker.address is not None
        return worker.address

    async def _caught_up(self, worker: WorkerProcess) -> None:
        """Wait until the worker has answered all of the history."""
        self.step(f"The worker reads {self.preloaded:,} candles of history")
        await self._bounded(
            until(lambda: self.tally.has_answered(self.market.last), _CATCH_UP_SECONDS), worker
        )

    async def _bounded(self, waiting: Awaitable[None], worker: WorkerProcess) -> None:
        try:
            await waiting
        except TimeoutError:
            words = worker.last_words()
            raise StreamLstmError(f"the worker does not get ready. Its last words:\n{words}") from None

    async def _begin(self, url: str) -> None:
        """From here on it is the play that counts."""
        self.before = self.latest = await asyncio.to_thread(scrape, url)
        self.tally.begin(max(self.market.last.values()))
        self.began = time.monotonic()

    async def _played(self, feeder: Feeder) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wanted.seconds):
                await feeder.play(self.market.play, self.wanted.speed)

    async def _drained(self, feeder: Feeder) -> None:
        """Wait until all that was played is answered, or for as long as may be."""
        with suppress(TimeoutError):
            await until(lambda: self.tally.answered >= feeder.sent - self.preloaded, _DRAIN_SECONDS)
        await asyncio.sleep(_SETTLE_SECONDS)  # the scores of the last candle come by another topic

    async def _refreshing(self, url: str, feeder: Feeder) -> None:
        while True:
            with suppress(StreamLstmError):  # a worker that dies is noticed elsewhere
                if self.began is not None:
                    self.latest = await asyncio.to_thread(scrape, url)
            self.viewer.refresh(self._summary(feeder))
            await asyncio.sleep(_REFRESH_SECONDS)

    async def _listening(self, connection: KafkaConnection) -> None:
        """Offer everything that the worker says to whoever counts and whoever watches."""
        async with Tail(connection, {name: name for name in PRODUCED}, "beginning") as tail:
            async for batch in tail:
                for topic, record in batch:
                    self.tally.offer(topic, record.value)
                    self.viewer.offer(topic, record.value, record.headers)

    def _summary(self, feeder: Feeder) -> Summary:
        tally, played = self.tally, self.latest.since(self.before)
        now = self.ended or time.monotonic()
        quantiles = {name: played.quantile(level) for name, level in _LEVELS.items()}
        return Summary(
            seconds=round(now - (self.began or now), 3),
            preloaded=self.preloaded,
            candles=feeder.sent - self.preloaded,
            predictions=tally.predictions.total(),
            scores=tally.scores.total(),
            trainings=tally.trainings,
            dead_letters=tally.dead_letters,
            latency_ms={name: s if s is None else round(s * 1000, 3) for name, s in quantiles.items()},
            coverage={horizon: round(share, 4) for horizon, share in tally.coverage().items()},
            models={"lstm": 0, "hybrid": 0} | tally.predictions,
        )


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
