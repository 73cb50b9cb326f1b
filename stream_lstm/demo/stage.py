"""A worker that is watched: what the demo and `live` have in common, whatever feeds the candles."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from stream_lstm.candles.series import SeriesKey
from stream_lstm.demo.latency import Histogram, scrape
from stream_lstm.demo.tally import Tally
from stream_lstm.errors import StreamLstmError
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.records import Header
from stream_lstm.kafka.tail import Tail
from stream_lstm.kafka.topics import TopicNames
from stream_lstm.streaming.ends import until
from stream_lstm.streaming.worker_process import WorkerProcess

START_SECONDS: Final = 60.0
_STILL_SECONDS: Final = 120.0
"""A worker that answers nothing for so long is not going to."""
_REFRESH_SECONDS: Final = 0.5
_LEVELS: Final = {"p50": 0.5, "p99": 0.99}


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


@dataclass(slots=True)
class Stage:
    """What a worker says, counted and shown. `step` is told what is being done.

    Until `begin` it is history that counts, then the play.
    """

    viewer: Viewer
    step: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)
    before: Histogram = field(default_factory=Histogram)
    latest: Histogram = field(default_factory=Histogram)
    began: float | None = None
    ended: float | None = None
    preloaded: int = 0
    """Candles of the history."""
    played: Callable[[], int] = lambda: 0
    """How many candles are in the topic by now besides."""

    async def address(self, worker: WorkerProcess) -> str:
        """Wait until the worker has said where it serves its metrics. Raises `StreamLstmError`."""
        await self._bounded(until(lambda: worker.address is not None, START_SECONDS), worker)
        assert worker.address is not None
        return worker.address

    async def caught_up(self, worker: WorkerProcess, last: Mapping[SeriesKey, int]) -> None:
        """Wait until the worker has answered each series' candle that closes then, or a later one.

        For as long as it goes forward. Raises `StreamLstmError` if it stands still.
        """
        self.step(f"The worker reads {self.preloaded:,} candles of history")
        tally, told = self.tally, 0
        while not tally.has_answered(last):
            seen = tally.answered
            await self._bounded(until(partial(self._has_answered_more, seen), _STILL_SECONDS), worker)
            if (tenth := tally.answered * 10 // max(self.preloaded, 1)) != told:
                told = tenth
                self.step(
                    f"The worker has answered {tally.answered:,} of {self.preloaded:,} candles of history"
                )

    def _has_answered_more(self, candles: int) -> bool:
        return self.tally.answered > candles

    async def begin(self, url: str, mark_ms: int) -> None:
        """From here on it is the play that counts: what closes after `mark_ms`."""
        self.before = self.latest = await asyncio.to_thread(scrape, url)
        self.tally.begin(mark_ms)
        self.began = time.monotonic()

    async def refreshing(self, url: str) -> None:
        """Show how things stand, for ever."""
        while True:
            with suppress(StreamLstmError):  # a worker that dies is noticed elsewhere
                if self.began is not None:
                    self.latest = await asyncio.to_thread(scrape, url)
            self.viewer.refresh(self.summary())
            await asyncio.sleep(_REFRESH_SECONDS)

    async def listening(self, connection: KafkaConnection, names: TopicNames) -> None:
        """Offer everything that the worker says to whoever counts and whoever watches, for ever."""
        async with Tail(connection, names.produced, "beginning") as tail:
            async for batch in tail:
                for topic, record in batch:
                    self.tally.offer(topic, record.value)
                    self.viewer.offer(topic, record.value, record.headers)

    def summary(self) -> Summary:
        """How things stand."""
        tally, played = self.tally, self.latest.since(self.before)
        now = self.ended or time.monotonic()
        quantiles = {name: played.quantile(level) for name, level in _LEVELS.items()}
        return Summary(
            seconds=round(now - (self.began or now), 3),
            preloaded=self.preloaded,
            candles=self.played(),
            predictions=tally.predictions.total(),
            scores=tally.scores.total(),
            trainings=tally.trainings,
            dead_letters=tally.dead_letters,
            latency_ms={name: s if s is None else round(s * 1000, 3) for name, s in quantiles.items()},
            coverage={horizon: round(share, 4) for horizon, share in tally.coverage().items()},
            models={"lstm": 0, "hybrid": 0} | tally.predictions,
        )

    async def _bounded(self, waiting: Awaitable[None], worker: WorkerProcess) -> None:
        try:
            await waiting
        except TimeoutError:
            words = worker.last_words()
            raise StreamLstmError(f"the worker does not get ready. Its last words:\n{words}") from None
