"""The trainings of a worker: processes that work a queue off, and what comes of each training."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, NamedTuple, TypeVar

from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import ModelError, TrainingFailed
from stream_lstm.forecasting.outputs import TrainingRequest
from stream_lstm.models.files import from_safetensors
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet
from stream_lstm.observability.logging import Format
from stream_lstm.training.process import Fitted, TrainingProcess
from stream_lstm.training.queue import Asked, TrainingQueue

log = logging.getLogger(__name__)

T = TypeVar("T")

TOO_YOUNG: Final = "the series began anew and has too few candles now"
"""The error of a training that is not tried again: it becomes due again by itself."""
DROPPED: Final = "the partition was lost while the training waited or ran"
"""The error of a training that nobody waits for any more."""


class Trained(NamedTuple):
    """A training that has ended: with a model and its place in the store, or with an error."""

    request: TrainingRequest
    model: Model | None
    path: str | None
    milliseconds: int
    error: str | None
    hopeless: bool = False
    """Whether the fit itself gave the error: it is not tried again with the same candles, but asked for again
    with the next one. Else it was its process, or the store."""


class TrainingState(NamedTuple):
    """What is done about the next model of a series."""

    state: Literal["idle", "queued", "running", "waits to try again"]
    place: int | None = None
    """Trainings that come before it."""


Job = tuple[Asked, TrainingSet]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerConfig:
    """How trainings run."""

    model_type: str
    store_url: str
    processes: int = 1
    timeout_s: float = 120.0
    """Wall time of one training after which its process is killed."""
    nice: int = 10
    keep_models: int = 64
    """Newest models of a series that stay in the store: a replay needs those of the time it goes over."""
    recycle_after: int = 500
    """Trainings after which a process is replaced by a fresh one."""
    log_format: Format = "text"
    """Of what the processes say."""


class Trainer:
    """Owns the training processes. All methods belong to the loop's thread; the fits run elsewhere.

    `snapshot` gives a series' training set when its turn comes, None if it has too little history by then.
    `on_end` is called when there is something for `finished`.
    """

    def __init__(
        self,
        config: TrainerConfig,
        snapshot: Callable[[SeriesKey], TrainingSet | None],
        *,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self.seconds_per_training = 0.0
        """Running mean of the wall time of a training, 0 before the first."""
        self._snapshot = snapshot
        self._queue = TrainingQueue()
        self._finished: list[tuple[Asked, Trained]] = []
        self._running: Counter[SeriesKey] = Counter()
        self.last_errors: dict[SeriesKey, str] = {}
        """Why the last training of a series failed, where it did."""
        self._work = asyncio.Event()
        self._slots: list[asyncio.Task[None]] = []
        self._processes: dict[int, TrainingProcess] = {}
        # A thread waits for every fit: on the loop's own few, nobody else would get a turn. The second of
        # each slot is for killing.
        self._threads = ThreadPoolExecutor(2 * config.processes, "training")
        self._on_end = on_end

    def start(self) -> None:
        """Start the slots; processes are spawned when there is work."""
        self._slots = [
            asyncio.create_task(self._slot(slot), name="trainer") for slot in range(self.config.processes)
        ]

    async def stop(self) -> None:
        """Kill the processes and forget the queue."""
        slots, self._slots = self._slots, []
        for slot in slots:
            slot.cancel()
        await asyncio.gather(*slots, return_exceptions=True)
        await asyncio.to_thread(self._end_all)

    def submit(self, request: TrainingRequest) -> None:
        """Queue a training."""
        self._queue.put(request)
        self._work.set()

    def drop(self, partition: Hashable) -> None:
        """Forget the queued trainings of a partition; those that run end as `DROPPED`."""
        self._queue.drop(partition)

    def finished(self) -> list[Trained]:
        """The trainings that have ended since the last call. Raises what has ended a slot, a bug of ours."""
        for slot in self._slots:
            if slot.done():
                slot.result()
        finished, self._finished = self._finished, []
        return [
            trained if self._queue.wants(asked) else trained._replace(model=None, error=DROPPED)
            for asked, trained in finished
        ]

    @property
    def queued(self) -> int:
        """Trainings that wait or run."""
        return len(self._queue) + self._running.total()

    def state(self, series: SeriesKey) -> TrainingState:
        """What is done about the next model of a series."""
        if series in self._running:
            return TrainingState("running", 0)
        if (place := self._queue.place(series)) is not None:
            return TrainingState("queued", place + self._running.total())
        return TrainingState("waits to try again" if self._queue.has_failed(series) else "idle")

    @property
    def backlog_seconds(self) -> float:
        """How long the queue will take."""
        return self.queued * self.seconds_per_training / self.config.processes

    async def _slot(self, slot: int) -> None:
        while True:
            await self._work.wait()
            if not self._queue:
                self._work.clear()
            elif jobs := self._jobs(self._queue.stack(self.config.processes)):
                await self._train(slot, jobs)

    def _jobs(self, asked: list[Asked]) -> list[Job]:
        """What there is to fit; a series that has begun anew meanwhile is told as ended without a model."""
        jobs = []
        for one in asked:
            data = self._snapshot(one.request.series)
            if data is not None:
                jobs.append((one, data))
            else:
                self._finished.append((one, Trained(one.request, None, None, 0, TOO_YOUNG)))
                self._on_end()
        return jobs

    async def _train(self, slot: int, jobs: list[Job]) -> None:
        """One stack, to its end."""
        series = [asked.request.series for asked, _ in jobs]
        self._running.update(series)
        began = time.monotonic()
        try:
            results = await self._results(slot, jobs)
        finally:
            self._running -= Counter(series)
        self._note_duration((time.monotonic() - began) / len(jobs))
        for (asked, _), result in zip(jobs, results, strict=True):
            self._end(asked, result)
        self._on_end()

    async def _results(self, slot: int, jobs: list[Job]) -> list[Fitted]:
        """What a process makes of a stack; if it makes nothing of it, it is killed."""
        limit_s = self.config.timeout_s
        try:
            process = await self._process(slot)
            async with asyncio.timeout(limit_s * len(jobs)):
                return await self._aside(process.fit, self.config.model_type, [data for _, data in jobs])
        except TimeoutError:
            told = f"no result within {limit_s:g} s per series (training.timeout)"
        except (TrainingFailed, OSError) as error:
            told = str(error)
        except Exception as error:  # whatever it is, it costs these trainings and not the slot
            log.exception("a training failed in a way that we did not think of")
            told = repr(error)
        await self._kill(slot)
        return [Fitted(None, None, 0, told)] * len(jobs)

    async def _process(self, slot: int) -> TrainingProcess:
        """The process of a slot; a fresh one where there is none, or it has worked enough."""
        process = self._processes.get(slot)
        if process is not None and process.jobs < self.config.recycle_after:
            return process
        await self._kill(slot)
        return await self._aside(self._spawn, slot)

    def _spawn(self, slot: int) -> TrainingProcess:
        """Noted by the thread that makes it, so that `stop` finds it even if nobody waits any more."""
        config = self.config
        process = TrainingProcess(config.store_url, config.nice, config.keep_models, config.log_format)
        self._processes[slot] = process
        return process

    async def _kill(self, slot: int) -> None:
        if (process := self._processes.pop(slot, None)) is not None:
            await self._aside(process.kill)

    def _end_all(self) -> None:
        """Blocks for a moment: until every thread has seen the end of its process."""
        for process in [*self._processes.values()]:
            process.kill()
        self._threads.shutdown()
        for process in self._processes.values():  # spawned meanwhile
            process.kill()

    async def _aside(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *given))

    def _end(self, asked: Asked, result: Fitted) -> None:
        model, error = None, result.error
        if result.data is not None:
            try:
                model = from_safetensors(result.data)
            except ModelError as damaged:
                error = str(damaged)
        if error is None:
            self.last_errors.pop(asked.request.series, None)
        else:
            self.last_errors[asked.request.series] = error
        trained = Trained(asked.request, model, result.path, result.milliseconds, error, result.hopeless)
        self._finished.append((asked, trained))
        if error is None:
            self._queue.succeeded(asked)
        elif result.hopeless:
            self._queue.succeeded(asked)
            log.warning("training of %s failed, again with its next candle: %s", asked.request.series, error)
        elif self._queue.wants(asked):
            delay = self._queue.failed(asked)
            log.warning("training of %s failed, again in %g s: %s", asked.request.series, delay, error)
            asyncio.get_running_loop().call_later(delay, self._again, asked)

    def _again(self, asked: Asked) -> None:
        self._queue.put_again(asked)
        self._work.set()

    def _note_duration(self, seconds: float) -> None:
        before = self.seconds_per_training
        self.seconds_per_training = seconds if before == 0 else 0.8 * before + 0.2 * seconds
