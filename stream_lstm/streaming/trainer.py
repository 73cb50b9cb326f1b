"""The trainings of a worker: a queue by need, processes that work it off, back-off after a failure."""

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import ModelError, TrainingFailed
from stream_lstm.forecasting.outputs import TrainingRequest
from stream_lstm.models.files import from_safetensors
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet
from stream_lstm.streaming.training_process import Fitted, TrainingProcess

log = logging.getLogger(__name__)

TOO_YOUNG: Final = "the series began anew and has too few candles now"
"""The error of a training that is not tried again: it becomes due again by itself."""
STACK: Final = 8
"""Series that one process fits together at most."""
_BACK_OFF: Final = (1.0, 300.0)  # seconds: first and longest wait after a failure


class Trained(NamedTuple):
    """A training that has ended: with a model and its place in the store, or with an error."""

    request: TrainingRequest
    model: Model | None
    path: str | None
    milliseconds: int
    error: str | None


Job = tuple[TrainingRequest, TrainingSet]


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


@dataclass(order=True, slots=True)
class _Waiting:
    """A place in the queue: series without a model first, then the one that has waited longest."""

    need: tuple[bool, int]
    request: TrainingRequest = field(compare=False)


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
        self._queue: list[_Waiting] = []
        self._finished: list[Trained] = []
        self._failures: dict[SeriesKey, int] = {}
        self._dropped: set[Hashable] = set()
        self._running = 0
        self._work = asyncio.Event()
        self._slots: list[asyncio.Task[None]] = []
        self._processes: dict[int, TrainingProcess] = {}
        self._on_end = on_end

    def start(self) -> None:
        """Start the slots; processes are spawned when there is work."""
        self._slots = [
            asyncio.create_task(self._slot(slot), name="trainer") for slot in range(self.config.processes)
        ]

    async def stop(self) -> None:
        """Kill the processes and forget the queue."""
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        for number in [*self._processes]:
            self._kill(number)

    def submit(self, request: TrainingRequest) -> None:
        """Queue a training."""
        self._dropped.discard(request.partition)
        heapq.heappush(self._queue, _Waiting((request.need != "no model", request.due_ms), request))
        self._work.set()

    def drop(self, partition: Hashable) -> None:
        """Forget the queued trainings of a partition; those that run end unheard."""
        self._queue = [place for place in self._queue if place.request.partition != partition]
        heapq.heapify(self._queue)
        self._dropped.add(partition)

    def finished(self) -> list[Trained]:
        """The trainings that have ended since the last call."""
        finished, self._finished = self._finished, []
        return [one for one in finished if one.request.partition not in self._dropped]

    @property
    def queued(self) -> int:
        """Trainings that wait or run."""
        return len(self._queue) + self._running

    @property
    def backlog_seconds(self) -> float:
        """How long the queue will take."""
        return self.queued * self.seconds_per_training / self.config.processes

    async def _slot(self, slot: int) -> None:
        while True:
            await self._work.wait()
            if not self._queue:
                self._work.clear()
            elif jobs := self._jobs(self._next()):
                await self._train(slot, jobs)

    def _next(self) -> list[TrainingRequest]:
        """A stack of what is most needed, leaving the other slots their share."""
        share = -(-len(self._queue) // self.config.processes)
        return [heapq.heappop(self._queue).request for _ in range(min(STACK, share))]

    async def _train(self, slot: int, jobs: list[Job]) -> None:
        """One stack, to its end."""
        self._running += len(jobs)
        began = time.monotonic()
        try:
            results = await self._results(slot, jobs)
        except TrainingFailed as error:
            milliseconds = int((time.monotonic() - began) * 1000)
            results = [Fitted(None, None, milliseconds, str(error))] * len(jobs)
        finally:
            self._running -= len(jobs)
        self._note_duration((time.monotonic() - began) / len(jobs))
        for (request, _), result in zip(jobs, results, strict=True):
            self._end(request, result)
        self._on_end()

    async def _results(self, slot: int, jobs: list[Job]) -> list[Fitted]:
        """What a process makes of a stack. Raises `TrainingFailed`, and then the process is gone."""
        try:
            process = await self._process(slot)
            async with asyncio.timeout(self.config.timeout_s * len(jobs)):
                return await asyncio.to_thread(
                    process.fit, self.config.model_type, [data for _, data in jobs]
                )
        except TimeoutError as error:
            self._kill(slot)
            limit = f"no result within {self.config.timeout_s:g} s per series (training.timeout)"
            raise TrainingFailed(limit) from error
        except (TrainingFailed, OSError) as error:
            self._kill(slot)
            raise TrainingFailed(str(error)) from error

    async def _process(self, slot: int) -> TrainingProcess:
        """The process of a slot; a fresh one where there is none, or it has worked enough."""
        process = self._processes.get(slot)
        if process is not None and process.jobs >= self.config.recycle_after:
            self._kill(slot)
            process = None
        if process is None:
            process = self._processes[slot] = await asyncio.to_thread(self._spawned)
        return process

    def _spawned(self) -> TrainingProcess:
        return TrainingProcess(self.config.store_url, self.config.nice, self.config.keep_models)

    def _kill(self, slot: int) -> None:
        if (process := self._processes.pop(slot, None)) is not None:
            process.kill()

    def _jobs(self, requests: list[TrainingRequest]) -> list[Job]:
        """What there is to fit; a series that has begun anew meanwhile is told as ended without a model."""
        jobs = []
        for request in requests:
            data = self._snapshot(request.series)
            if data is not None:
                jobs.append((request, data))
            else:
                self._finished.append(Trained(request, None, None, 0, TOO_YOUNG))
                self._on_end()
        return jobs

    def _end(self, request: TrainingRequest, result: Fitted) -> None:
        model, error = None, result.error
        if result.data is not None:
            try:
                model = from_safetensors(result.data)
            except ModelError as damaged:
                error = str(damaged)
        self._finished.append(Trained(request, model, result.path, result.milliseconds, error))
        if error is None:
            self._failures.pop(request.series, None)
            return
        failures = self._failures[request.series] = self._failures.get(request.series, 0) + 1
        first, longest = _BACK_OFF
        delay = min(first * 2 ** (failures - 1), longest)
        log.warning("training of %s failed, again in %g s: %s", request.series, delay, error)
        asyncio.get_running_loop().call_later(delay, self._again, request)

    def _again(self, request: TrainingRequest) -> None:
        if request.partition not in self._dropped:
            self.submit(request)

    def _note_duration(self, seconds: float) -> None:
        before = self.seconds_per_training
        self.seconds_per_training = seconds if before == 0 else 0.8 * before + 0.2 * seconds
