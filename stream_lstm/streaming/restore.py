"""From the log to the state of a partition: where to begin, and which model answers from where on.

A restoration is a task of its own, cancelled when its partition is revoked. It loads and decides; seeking
and replaying belong to the worker's loop.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, NamedTuple, Protocol

from aiokafka import ConsumerRecord

from stream_lstm.candles.decode import decode
from stream_lstm.candles.formats import Pin
from stream_lstm.candles.series import SeriesKey
from stream_lstm.checkpoints.codec import Checkpoint
from stream_lstm.errors import ModelDamaged, ModelError, ModelMismatch, StoreError, StreamLstmError
from stream_lstm.features.groups import ALL
from stream_lstm.forecasting.partition_state import challenger_ids, model_ids
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.models.files import from_safetensors
from stream_lstm.models.model import Model
from stream_lstm.registry.claims import Claims
from stream_lstm.registry.models import ModelStore
from stream_lstm.streaming.changes import DELETED, TRAINED, Change, Position, role_of
from stream_lstm.streaming.ends import abandonable
from stream_lstm.streaming.facts import Fact
from stream_lstm.streaming.replay_facts import ReplayFacts, models_of, needed
from stream_lstm.streaming.rewind import Start, find_start
from stream_lstm.streaming.saved_state import Found, SavedStates

log = logging.getLogger(__name__)

_AT_ONCE: Final = 16
"""Partitions that are restored, and models that are loaded, at the same time."""
_BACK_OFF: Final = (0.5, 10.0)  # seconds: first and longest wait after a failure

Tell = Callable[[str, dict[str, Any], SeriesKey | None, str], None]
"""Says an event: type, data, the series that it is about, or else what."""


class Opener(Protocol):
    """Takes a partition over before its committed offset is read; `publisher.Publisher` is one."""

    async def open(self, partition: TopicPartition) -> int | None:
        """The committed offset; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreConfig:
    """How far back a partition begins, and what its models read. `timeout_s` bounds one attempt."""

    start_at: Literal["latest", "earliest"] = "latest"
    rewind_candles: int = 500
    rewind_max_records: int = 100_000
    timeout_s: float = 60.0
    features: tuple[str, ...] = ALL


class Loaded(NamedTuple):
    """What a partition begins with."""

    place: TopicPartition
    start: Start
    checkpoint: Checkpoint | None
    """The state at `start.seek`; None for that of a partition before its first record."""
    models: dict[SeriesKey, Model]
    """Those that answered in the checkpoint."""
    challengers: dict[SeriesKey, Model]
    """Those that were challengers in it."""
    changes: list[Change]
    """What the facts say from the start on."""
    executed: frozenset[tuple[str, SeriesKey]]
    """Commands that the facts are the effects of, by id and series."""
    elsewhere: list[SeriesKey]
    """Series that other partitions have taken over."""
    topic_partitions: int
    rebuilt: bool
    """A new beginning after an earlier one: same ids, but not the same numbers."""
    began: float
    """When the restoration began, `time.monotonic`."""


class Restorer:
    """Runs restorations and tries each again until it succeeds or is cancelled.

    `on_end` is called when there is something for `finished`.
    """

    def __init__(
        self,
        config: RestoreConfig,
        connection: KafkaConnection,
        events_topic: str,
        opener: Opener,
        store: ModelStore,
        saved: SavedStates,
        claims: Claims,
        pin_of: Callable[[str], Pin],
        *,
        on_end: Callable[[], None],
        tell: Tell,
    ) -> None:
        self.config = config
        self._connection = connection
        self._events_topic = events_topic
        self._opener = opener
        self._store = store
        self.saved = saved
        self._claims = claims
        self._pin_of = pin_of
        self._on_end = on_end
        self._tell = tell
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._finished: deque[Loaded] = deque()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @property
    def running(self) -> int:
        """Partitions that are being restored."""
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        """Partitions that are being restored, or are and have not been taken."""
        return len(self._tasks) + len(self._finished)

    def begin(self, places: Iterable[TopicPartition], pause_s: float = 0.0) -> None:
        """Restore partitions after a pause, from scratch where one is being restored already."""
        places = [(place[0], place[1]) for place in places]
        self.cancel(places)
        facts = ReplayFacts(self._connection, self._events_topic, self.config.timeout_s)
        for place in places:
            name = f"restore {place[0]}-{place[1]}"
            work = self._until_done(place, facts, pause_s)
            self._tasks[place] = asyncio.create_task(work, name=name)

    def cancel(self, places: Iterable[TopicPartition]) -> None:
        """Forget partitions: nothing comes of a restoration that has not been taken yet."""
        leaving = {(place[0], place[1]) for place in places}
        for place in leaving:
            if (task := self._tasks.pop(place, None)) is not None:
                task.cancel()
        self._finished = deque(loaded for loaded in self._finished if loaded.place not in leaving)

    def finished(self) -> list[Loaded]:
        """The restorations that have ended since the last call."""
        finished = list(self._finished)
        self._finished.clear()
        return finished

    async def stop(self) -> None:
        """Cancel everything."""
        tasks = list(self._tasks.values())
        self.cancel(list(self._tasks))
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_done(self, place: TopicPartition, facts: ReplayFacts, pause_s: float) -> None:
        began, wait = time.monotonic(), _BACK_OFF[0]
        await asyncio.sleep(pause_s)
        while True:
            try:
                async with self._slots:
                    loaded = await self._restore(place, facts, began)
                break
            except StreamLstmError as error:
                log.warning("%s-%d cannot be restored yet, again in %.1f s: %s", *place, wait, error)
            except Exception:  # whatever it is, a partition that nobody restores would never be read again
                log.exception("%s-%d cannot be restored yet, again in %.1f s", *place, wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _BACK_OFF[1])
        self._tasks.pop(place, None)
        self._finished.append(loaded)
        self._on_end()

    async def _restore(self, place: TopicPartition, facts: ReplayFacts, began: float) -> Loaded:
        committed = await self._opener.open(place)
        opened_at = time.monotonic()
        config, pin = self.config, self._pin_of(place[0])

        def steps_ms(record: ConsumerRecord) -> list[int]:
            found = decode(record.value, record_ms=record.timestamp, pin=pin)
            return [update.step_ms for update in found.updates]

        async with LogReader(self._connection, Deadline(config.timeout_s)) as reader:
            found = Found() if committed is None else await self.saved.find(reader, place, committed)
            if found.checkpoint is not None and committed is not None:
                seek = found.checkpoint.origin.offset
                start = Start(seek, committed, f"from committed offset {committed}, checkpoint at {seek}")
            elif found.another_log:
                first = (await reader.spans([place])).popitem()[1].start
                start = Start(first, first, "the topic was made again: from the earliest")
            else:
                start = await find_start(
                    reader,
                    place,
                    committed,
                    steps_ms,
                    start_at=config.start_at,
                    rewind_candles=config.rewind_candles,
                    rewind_max_records=config.rewind_max_records,
                )
            count = len(await reader.partitions(place[0]))
        if found.unusable:
            start = start._replace(reason="; ".join([start.reason, *found.unusable]))
        if found.checkpoint is not None and found.checkpoint.origin.partitions != count:
            self._tell_resized(place, found.checkpoint.origin.partitions, count)
        answering = {} if found.checkpoint is None else model_ids(found.checkpoint.state)
        since = None if found.checkpoint is None else found.checkpoint.origin.events
        said = await facts.of(place, opened_at, since)
        applied = needed(said, Position(start.seek, 0), answering)
        own = await self._load(models_of(place, answering, applied))
        resumed = {one.series: one.model for one in own if one.model is not None}
        shadows = {} if found.checkpoint is None else challenger_ids(found.checkpoint.state)
        beside = await self._load(models_of(place, shadows, applied, "challenger"))
        challengers = {one.series: one.model for one in beside if one.model is not None}
        gone = [one for one in own if one.model is None]
        anew = start.live_from != committed or start.seek > 0
        rebuilt = committed is not None and found.checkpoint is None and anew
        changes = [*gone, *await self._load(applied)]
        moved = await abandonable(self._claims.moved)
        elsewhere = [SeriesKey.parse(series) for series, owner in moved.items() if owner != place]
        executed = frozenset(
            (str(fact.body["commandId"]), fact.series) for fact in said if "commandId" in fact.body
        )
        return Loaded(
            place,
            start,
            found.checkpoint,
            resumed,
            challengers,
            changes,
            executed,
            elsewhere,
            count,
            rebuilt,
            began,
        )

    async def _load(self, facts: list[Fact]) -> list[Change]:
        """A few at a time: of those that come after a failure none is begun.

        An old model that is gone was only too old; but if the last one of a series is, it was deleted.
        """
        loaded: list[Change | None] = []
        for first in range(0, len(facts), _AT_ONCE):
            loaded += await asyncio.gather(*map(self._change, facts[first : first + _AT_ONCE]))
        last = {
            fact.series: fact for fact in facts if fact.kind == TRAINED and role_of(fact.body) == "champion"
        }
        return [
            change
            for fact, change in zip(facts, loaded, strict=True)
            if change is not None and (change.kind == fact.kind or last.get(fact.series) is fact)
        ]

    async def _change(self, fact: Fact) -> Change | None:
        """What a fact changes, and the model that it names; None if unusable. Raises `StoreError`."""
        at = Position(fact.offset, fact.candles)
        if fact.kind != TRAINED:
            return Change(at, fact.series, fact.kind, body=fact.body)
        path = str(fact.body.get("path"))
        try:
            model = from_safetensors(await self._store.load_async(path))
            model.check_features(self.config.features)
        except ModelDamaged as error:
            await self._put_aside(path, str(error), fact.series)
        except ModelMismatch as error:
            log.warning("%s: not loaded, the series is trained anew when due: %s", path, error)
        except ModelError as error:
            log.warning("%s: it was deleted: %s", path, error)
            return Change(at, fact.series, DELETED)
        else:
            return Change(at, fact.series, TRAINED, model, fact.body)
        return None

    async def _put_aside(self, path: str, reason: str, series: SeriesKey) -> None:
        """Quarantine a model and tell; a store that refuses even that costs the partition nothing more."""
        log.error("%s is put aside: %s", path, reason)
        try:
            path = await abandonable(partial(self._store.quarantine, path, reason))
        except StoreError as error:
            log.error("it stays where it is: %s", error)
        self._tell("model.quarantined", {"path": path, "reason": reason}, series, path)

    def _tell_resized(self, place: TopicPartition, before: int, now: int) -> None:
        topic, partition = place
        log.error(
            "%s had %d partitions and has %d: keys have moved, and their series begin anew in the middle; "
            "make a new topic instead and move the producers",
            *(topic, before, now),
        )
        data = {"topic": topic, "partition": partition, "before": before, "partitions": now}
        self._tell("topic.resized", data, None, topic)
