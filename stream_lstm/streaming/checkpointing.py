"""When a partition's state is saved: at times, when it is committed, and off the loop."""

import asyncio
import logging
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from stream_lstm.checkpoints.codec import Checkpoint, Origin
from stream_lstm.checkpoints.store import CheckpointStore, Saved
from stream_lstm.errors import StoreError
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.partition_state import fingerprint
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.streaming.ends import abandonable
from stream_lstm.streaming.partition import Partition
from stream_lstm.streaming.publisher import Publisher
from stream_lstm.streaming.telemetry import Telemetry

log = logging.getLogger(__name__)

_AT_ONCE: Final = 2
"""Checkpoints that are written at the same time: each holds a copy of what it writes."""
_JITTER: Final = 0.2
"""Share of the interval by which those of different partitions are apart."""
_LOOK_SECONDS: Final = 0.05
_TELL_SECONDS: Final = 1.0
_LONGEST_WAIT: Final = 8
"""Intervals after which a store that refuses is tried again, at most."""


@dataclass(slots=True)
class _Progress:
    """What is known of one partition's checkpoints."""

    due: float
    candles: int
    """Closed candles of the partition when the last one was made."""
    failures: int = 0
    owes_since: float | None = None
    """Since when it has had something that no checkpoint holds."""


@dataclass(slots=True, kw_only=True)
class Checkpointer:
    """Saves partitions whose time has come. The loop calls `look` when the engine has nothing half done."""

    store: CheckpointStore | None
    """None: nothing is saved."""
    interval_s: float
    engine: Engine
    publisher: Publisher
    telemetry: Telemetry
    partitions: Mapping[TopicPartition, Partition]
    events_read: Callable[[], Mapping[int, int]]
    """How far `model-events` has been read: what is said later is in no state yet."""
    clock: Callable[[], float] = time.monotonic
    _known: dict[TopicPartition, _Progress] = field(default_factory=dict, init=False)
    _writing: dict[TopicPartition, asyncio.Task[None]] = field(default_factory=dict, init=False)
    _told_at: float = field(default=0.0, init=False)

    @property
    def writing(self) -> int:
        """Checkpoints that are being written, each with a copy of what it writes."""
        return len(self._writing)

    def look(self) -> None:
        """Begin to save one partition at most: copying its state holds the loop."""
        if self.store is None:
            return
        now = self.clock()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            self._tell_ages(now)
        if len(self._writing) >= _AT_ONCE:
            return
        for place, partition in self.partitions.items():
            if self._is_due(place, partition, now):
                self._begin(place, partition, self.store)
                return

    async def save_all(self) -> None:
        """Save every partition that has something new, one after the other: before a worker ends."""
        if self.store is None:
            return
        for place, partition in self.partitions.items():
            if place in self._writing:
                await asyncio.wait({self._writing[place]})
            if partition.live and self._has_news(place, partition, self._progress(place)):
                self._begin(place, partition, self.store)
                await asyncio.wait({self._writing[place]})

    async def save_soon(self, place: TopicPartition, seconds: float) -> bool:
        """Have a partition saved as it is now or later; false if that takes longer, or the store refuses."""
        if self.store is None or place not in self.partitions:
            return False
        known = self._progress(place)
        known.candles, known.due = -1, 0.0
        ends = self.clock() + seconds
        while self.clock() < ends:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._known.get(place) is not known or known.failures:
                return False
            if known.candles >= 0 and place not in self._writing:
                return True
        return False

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """Partitions that are not ours any more, or begin anew. What is being written is finished."""
        for place in places:
            self._known.pop(place, None)

    async def stop(self, seconds: float) -> None:
        """Let what is being written end, for so long; whatever is left behind is whole or not there."""
        if self._writing:
            await asyncio.wait(list(self._writing.values()), timeout=seconds)

    def _tell_ages(self, now: float) -> None:
        for place, partition in self.partitions.items():
            known = self._progress(place)
            if not partition.live or (place not in self._writing and partition.candles <= known.candles):
                known.owes_since = None
            elif known.owes_since is None:
                known.owes_since = now
            self.telemetry.unsaved(place, 0.0 if known.owes_since is None else now - known.owes_since)

    def _is_due(self, place: TopicPartition, partition: Partition, now: float) -> bool:
        if not partition.live:
            return False
        known = self._progress(place)
        return now >= known.due and place not in self._writing and self._has_news(place, partition, known)

    def _has_news(self, place: TopicPartition, partition: Partition, known: _Progress) -> bool:
        """Whether candles have closed since the last one, and nothing of them is half done."""
        return (
            partition.candles > known.candles and partition.between_records and self.publisher.settled(place)
        )

    def _progress(self, place: TopicPartition) -> _Progress:
        known = self._known.get(place)
        if known is None:
            share = zlib.crc32(f"{place[0]}-{place[1]}".encode()) / 2**32
            due = self.clock() + self.interval_s * (1 - _JITTER * share)
            known = self._known[place] = _Progress(due, 0)
        return known

    def _begin(self, place: TopicPartition, partition: Partition, store: CheckpointStore) -> None:
        known = self._known[place]
        last_offset, last_crc = partition.last_record
        origin = Origin(
            topic=place[0],
            partition=place[1],
            offset=partition.next_offset,
            partitions=partition.topic_partitions,
            last_offset=last_offset,
            last_crc=last_crc,
            fingerprint=fingerprint(self.engine.config),
            events={str(at): offset for at, offset in self.events_read().items()} or None,
        )
        checkpoint = Checkpoint(
            origin=origin, state=self.engine.export(place), closing=partition.closing.state()
        )
        known.candles = partition.candles
        work = self._save(place, checkpoint, store, known)
        self._writing[place] = asyncio.create_task(work, name=f"checkpoint {place[0]}-{place[1]}")

    async def _save(
        self, place: TopicPartition, checkpoint: Checkpoint, store: CheckpointStore, known: _Progress
    ) -> None:
        began = self.clock()
        try:
            saved = await abandonable(lambda: store.save(checkpoint))  # a store that hangs holds no stop
        except StoreError as error:
            known.failures += 1
            known.candles = -1  # there is something to save, whatever comes
            self.telemetry.checkpointed(None, self.clock() - began)
            log.error("%s-%d: no checkpoint at %d: %s", *place, checkpoint.origin.offset, error)
        else:
            known.failures, known.owes_since = 0, None
            _mark(saved)
            self.telemetry.checkpointed(saved.size, self.clock() - began)
            log.debug("%s-%d: checkpoint at %d, %d bytes", *place, checkpoint.origin.offset, saved.size)
        finally:
            known.due = self.clock() + self.interval_s * min(2**known.failures, _LONGEST_WAIT)
            del self._writing[place]


def _mark(saved: Saved) -> None:
    """Note which blocks need not be written again."""
    for block, name, at in saved.stored:
        block.saved_in, block.saved_at = name, at
