"""`stream-lstm live`: from nothing to live forecasts of an exchange's markets, in one call."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from stream_lstm.candles.series import SeriesKey
from stream_lstm.demo.latency import scrape
from stream_lstm.demo.stage import START_SECONDS, Stage, Summary, Viewer
from stream_lstm.errors import SettingsError, VenueError
from stream_lstm.exchange.markets import Listing
from stream_lstm.exchange.venue import Venue
from stream_lstm.feeding.bootstrap import Target, from_exchange
from stream_lstm.feeding.choices import input_topic, manner_of
from stream_lstm.feeding.feed import Feed
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.kafka_jars import find_kafka
from stream_lstm.kafka.topics import DAY_MS, FOR_EVER, TopicNames, specs
from stream_lstm.settings import Settings
from stream_lstm.settings.inputs import pin_of
from stream_lstm.settings.tree import DEFAULT
from stream_lstm.streaming.ends import Stopped, abandonable, signals, told, unless, until, watching
from stream_lstm.streaming.worker_process import WorkerProcess

_PARTITIONS: Final = 3
_OPEN_SECONDS: Final = 60.0
_TRAINED_SECONDS: Final = 600.0
_KEPT_DAYS: Final = 400
_CLIENT: Final = "stream-lstm-live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be forecast. Raises `SettingsError` for what cannot be."""

    exchange: str
    symbols: Sequence[str]
    interval: str = "1h"
    candles: int = 3_000
    """Of history, per series."""
    seconds: float | None = None
    """End so long after the first forecasts; None for until told to stop."""
    folder: Path | None = None
    """Where Kafka and the models stay, so that the next call goes on; None for a folder that goes away."""

    def __post_init__(self) -> None:
        if not self.symbols:
            raise SettingsError("--symbols: name at least one market, such as BTC/USDT")
        if not 1 <= self.candles <= 1_000_000:
            raise SettingsError(f"--candles {self.candles}: write a number from 1 to 1,000,000")
        if self.seconds is not None and not self.seconds > 0:
            raise SettingsError(f"--for {self.seconds:g}: write a number above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Summary):
    """What came of it; `seconds` and all counts are since the models were there."""

    series: int
    ready_seconds: float
    """From the call until every series was forecast as of its newest candle."""
    trained_seconds: float | None
    """From the call until every series had a model; None if some had none in ten minutes."""


async def run(
    wanted: Wanted,
    settings: Settings,
    given: Mapping[str, object],
    viewer: Viewer,
    step: Callable[[str], None],
    config: Path | None = None,
) -> Outcome | None:
    """Load history, start a worker, feed what closes; None if told to stop before there was a forecast.

    Starts Kafka unless `kafka.bootstrap_servers` is set, makes the topics that are missing, and stops what
    it has started. `given` are the settings that somebody has named, for the worker, like its `config`.
    Raises `SettingsError` for what the exchange has not, and whatever keeps it from going on.
    """
    began = time.monotonic()
    with (
        signals() as stop,
        TemporaryDirectory(prefix="stream-lstm-live-", ignore_cleanup_errors=True) as temporary,
        suppress(Stopped),
    ):
        folder = wanted.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        async with watching(told(stop)) as (stopped,):
            step(f"Asking {wanted.exchange} for its markets")
            venue = await unless(_opened(wanted, settings, step), stopped)
            async with _closing(venue):
                listings = venue.find(
                    wanted.symbols, wanted.interval, unified=settings.exchange.names == "unified"
                )
                async with _kafka(settings, folder, stopped, step) as servers:
                    connection = KafkaConnection(servers, _CLIENT)
                    live = _Live(wanted, settings, venue, listings, Stage(viewer, step), stopped, began)
                    mine = {**_worker_settings(settings, servers, folder), **given}
                    return await live.set_up(connection, folder, mine, config)
    return None


async def _opened(wanted: Wanted, settings: Settings, say: Callable[[str], None]) -> Venue:
    """The exchange, its markets known: a minute of patience for the beginning, none too many afterwards."""
    exchange = settings.exchange
    venue = await asyncio.to_thread(
        lambda: Venue(wanted.exchange, url=exchange.url, timeout_s=exchange.timeout, say=say)
    )
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            return await venue.__aenter__()
    except TimeoutError:
        raise VenueError(
            f"{venue.name} does not tell its markets in {_OPEN_SECONDS:.0f} s: can it be reached from here?"
        ) from None


@asynccontextmanager
async def _closing(venue: Venue) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await venue.__aexit__()


@asynccontextmanager
async def _kafka(
    settings: Settings, folder: Path, stopped: "asyncio.Task[None]", step: Callable[[str], None]
) -> AsyncIterator[str]:
    """Bootstrap servers: those that were named, or of a Kafka that lives as long as this."""
    if settings.source("kafka.bootstrap_servers") != DEFAULT:
        yield settings.kafka.bootstrap_servers
        return
    step("Looking for Kafka: the first time, 36 MB are fetched")
    await unless(abandonable(find_kafka), stopped)
    step("Starting Kafka")
    async with EmbeddedKafka(folder / "kafka") as kafka:
        yield kafka.bootstrap_servers


def _worker_settings(settings: Settings, servers: str, folder: Path) -> dict[str, object]:
    """What suits a worker that begins with nothing, where nobody has said otherwise."""
    chosen: dict[str, object] = {
        "start_at": "earliest",
        "store.url": (folder.absolute() / "store").as_uri(),
        "metrics.host": "127.0.0.1",
        "metrics.port": "0",
        "worker.shutdown_timeout": "8s",
    }
    ours = {name: value for name, value in chosen.items() if settings.source(name) == DEFAULT}
    return ours | {"kafka.bootstrap_servers": servers}


@dataclass(slots=True)
class _Live:
    """One run, once Kafka is there."""

    wanted: Wanted
    settings: Settings
    venue: Venue
    listings: Sequence[Listing]
    stage: Stage
    stopped: "asyncio.Task[None]"
    began: float
    ready_seconds: float = 0.0
    trained_seconds: float | None = None

    async def set_up(
        self, connection: KafkaConnection, folder: Path, given: Mapping[str, object], config: Path | None
    ) -> Outcome:
        names, topic = TopicNames(self.settings.topics.prefix), input_topic(self.settings)
        await self._make_topics(connection, names, topic)
        self.stage.step("Starting the worker")
        target = Target(connection, topic, pin_of(self.settings.inputs, topic))
        async with (
            WorkerProcess(given, _fresh_log(folder), config) as worker,
            watching(worker.ended(), self.stage.listening(connection, names)) as failures,
        ):
            return await self._perform(worker, target, failures)

    async def _make_topics(self, connection: KafkaConnection, names: TopicNames, topic: str) -> None:
        self.stage.step("Creating the topics that are missing")
        embedded = self.settings.source("kafka.bootstrap_servers") == DEFAULT
        span_ms = self.wanted.candles * self.listings[0].step_ms
        kept_ms = FOR_EVER if embedded else max(_KEPT_DAYS * DAY_MS, 2 * span_ms)
        wanted = specs(
            names,
            [topic],
            partitions=_PARTITIONS,
            candle_retention_ms=kept_ms,
            output_retention_ms=FOR_EVER if embedded else 90 * DAY_MS,
        )
        await topic_admin.create(connection, wanted, Deadline(START_SECONDS))

    async def _perform(
        self, worker: WorkerProcess, target: Target, failures: "list[asyncio.Task[None]]"
    ) -> Outcome:
        stage = self.stage
        last = await unless(self._history(target), *failures, self.stopped)
        url = await unless(stage.address(worker), *failures, self.stopped)
        feed = Feed(target, self.venue, self.listings, manner_of(self.settings), stage.step)
        stage.played = lambda: feed.fed.closed
        async with watching(stage.refreshing(url), feed.run()) as view:
            ends = [*failures, *view]
            await unless(stage.caught_up(worker, last), *ends, self.stopped)
            self.ready_seconds = round(time.monotonic() - self.began, 1)
            with suppress(Stopped):
                await unless(self._trained(), *ends, self.stopped)
                await unless(stage.begin(url, max(last.values(), default=-1)), *ends, self.stopped)
                await unless(self._watched(), *ends, self.stopped)
            stage.ended = time.monotonic()
        stage.latest = await asyncio.to_thread(scrape, url)
        stage.step("Stopping")
        return self._outcome()

    async def _history(self, target: Target) -> dict[SeriesKey, int]:
        """Load what is missing of it; the close time of each series' newest candle."""
        shown = -1

        def progress(done: int, total: int | None) -> None:
            nonlocal shown
            tenth = done * 10 // max(total or 0, 1)
            if tenth != shown:
                shown = tenth
                self.stage.step(f"History: {done:,} of {total or 0:,} candles of {len(self.listings)} series")

        loaded = await from_exchange(
            target, self.venue, self.listings, self.wanted.candles, warn=self.stage.step, progress=progress
        )
        self.stage.preloaded = sum(one.held + one.loaded for one in loaded)
        step_ms = self.listings[0].step_ms
        return {one.series: one.newest_ms + step_ms - 1 for one in loaded}

    async def _trained(self) -> None:
        """Wait until each series has a model, which some may not get: a market that is new."""
        with suppress(TimeoutError):
            await until(lambda: self.stage.tally.trainings >= len(self.listings), _TRAINED_SECONDS)
            self.trained_seconds = round(time.monotonic() - self.began, 1)

    async def _watched(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wanted.seconds):
                await asyncio.Event().wait()

    def _outcome(self) -> Outcome:
        summary = self.stage.summary()
        return Outcome(
            **{one.name: getattr(summary, one.name) for one in fields(Summary)},
            series=len(self.listings),
            ready_seconds=self.ready_seconds,
            trained_seconds=self.trained_seconds,
        )


def _fresh_log(folder: Path) -> Path:
    """Where the worker's log goes, without what the one before it has said: its address is read there."""
    log = folder / "worker.log"
    log.unlink(missing_ok=True)
    return log
