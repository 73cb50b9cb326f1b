"""The worker: one loop that reads candles, forecasts, publishes, and keeps the models fresh.

Everything that happens to a partition arrives in this loop, and everything that it says leaves through one
call. Once around: changes of the assignment, finished restorations, finished trainings, records, a turn of
every partition, the engine's work for all of them, publication with the offset last.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from stream_lstm.candles.formats import Pin
from stream_lstm.dead_letters.letter import DeadLetters
from stream_lstm.errors import BrokerError, PartitionLost
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.kafka.group import Fetched, GroupConsumer
from stream_lstm.kafka.rebalance import Assigned, Change, Revoked
from stream_lstm.kafka.records import Record, TopicPartition
from stream_lstm.observability.progress import Progress
from stream_lstm.streaming.arrivals import Arrivals
from stream_lstm.streaming.checkpointing import Checkpointer
from stream_lstm.streaming.claiming import Claiming
from stream_lstm.streaming.control.commands import Commands
from stream_lstm.streaming.encoding import Encoder
from stream_lstm.streaming.lookout import Lookout
from stream_lstm.streaming.pace import Pace
from stream_lstm.streaming.partition import Partition, Taken
from stream_lstm.streaming.publisher import Publisher, Said
from stream_lstm.streaming.restore import Loaded, Restorer
from stream_lstm.streaming.telemetry import Telemetry
from stream_lstm.training.trainer import Trainer

log = logging.getLogger(__name__)

_FETCH: Final = 1_000
"""Records per poll at most."""
_TURN: Final = 1_500
"""Records per turn at most: 1,800 updates of open bars may lie between two candles that close."""
_QUEUED: Final = 2_000
"""Records waiting in a partition above which no more of it are fetched."""
_IDLE_SECONDS: Final = 0.5
_LOST_AGAIN: Final = (0.5, 30.0)  # seconds: first and longest pause before what was lost again is restored


@dataclass(slots=True, kw_only=True)
class Worker:
    """Owns the partitions. Its parts are given to it, started, and share `partitions`."""

    group: GroupConsumer
    publisher: Publisher
    engine: Engine
    restorer: Restorer
    trainer: Trainer
    arrivals: Arrivals
    lookout: Lookout
    checkpointer: Checkpointer
    claiming: Claiming
    commands: Commands
    encoder: Encoder
    dead_letters: DeadLetters
    telemetry: Telemetry
    progress: Progress
    partitions: dict[TopicPartition, Partition]
    pin_of: Callable[[str], Pin]
    """What is known about the candles of a topic."""
    control: str
    """A topic that is read by the group and holds no candles."""
    close_grace_ms: int
    most_series: int
    """Of a partition."""
    barrier: bool
    stop_seconds: float = 12.0
    """Within this `run` ends once it is told to."""
    _pace: Pace = field(default_factory=Pace, init=False)
    _replaying: dict[TopicPartition, Loaded] = field(default_factory=dict, init=False)
    _held: set[TopicPartition] = field(default_factory=set, init=False)
    _unfinished: dict[TopicPartition, list[Record]] = field(default_factory=dict, init=False)
    """What was said about the first candles of a record that holds more of them."""
    _losses: Counter[TopicPartition] = field(default_factory=Counter, init=False)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish the turn and give the partitions up.

        Raises `BrokerError` if the group cannot go on.
        """
        try:
            async with _cut_off(stop, self.stop_seconds / 2):
                while not stop.is_set():
                    await self.turn()
        except TimeoutError:
            if not stop.is_set():
                raise
            log.error("the last turn does not end: the next owner says again what it said")
        await self._give_up(list(self.partitions), self.stop_seconds / 2, save=True)

    async def turn(self) -> None:
        """Once around the loop."""
        for change in self.group.changes():
            await self._rebalance(change)
        for loaded in self.restorer.finished():
            self._open(loaded)
        self._restart(await self.arrivals.take(self.trainer.finished()))
        self._restart(self.claiming.take())
        self._restart(await self.commands.take())
        busy = any(partition.ready for partition in self.partitions.values())
        self._feed(await self.group.poll(_FETCH, 0 if busy else _IDLE_SECONDS))
        with self._pace.measure():
            taken = self._take()
            said = self.engine.advance(int(time.time() * 1000))
            leaving = self._leaving(taken, said)
        if taken:
            self.telemetry.turned(self._pace.seconds)
        await self._publish(leaving, said)
        self.checkpointer.look()
        for place, one in taken.items():
            if place in self.partitions:  # not if it was lost just now
                self.claiming.ask(place, one.newcomers)
                for request in one.requests:
                    self.trainer.submit(request)
        caught_up = await self.lookout.look()
        if self._replaying:
            self._tell_live(caught_up)

    # -- the assignment ----------------------------------------------------------------------------

    async def _rebalance(self, change: Change) -> None:
        if isinstance(change, Assigned):
            places = [place for place in change.partitions if place.topic != self.control]
            log.info("assigned %d partitions: restoring them", len(places))
            self.telemetry.metrics.consumer.rebalances.inc()
            self.restorer.begin(places)
            self.progress.phase(joined=True, assigned=True, restored=not places)
        elif isinstance(change, Revoked):
            self.progress.phase(assigned=False, restored=False)
            await self._give_up(change.partitions, change.deadline.remaining())
            change.acknowledge()
        else:
            log.error("%s-%d: position %d is not in the log any more", *change.partition, change.offset)
            self._restart([change.partition])

    async def _give_up(
        self, partitions: Iterable[TopicPartition], seconds: float, *, save: bool = False
    ) -> None:
        """Commit what is published and forget partitions, for whoever owns them next; `save` them for it.

        When the time is over somebody else may own them already, whose offsets must not be turned back.
        """
        places = _plain(partitions)
        self.restorer.cancel(places)
        undone = "offsets are not committed, the next owner begins a little earlier"
        try:
            async with asyncio.timeout(seconds):
                await self.publisher.close(places, commit=seconds > 0)
                undone = "the store has not saved every partition, the next owner replays more"
                if save:
                    await self.checkpointer.save_all()
        except (BrokerError, TimeoutError) as error:
            log.warning("%s: %s", undone, str(error) or "no answer in time")
        self._drop(places)
        for place in places:
            self._losses.pop(place, None)

    def _drop(self, places: Iterable[TopicPartition]) -> None:
        places = list(places)
        self.checkpointer.forget(places)
        self.claiming.forget(places)
        self.commands.forget(places)
        for place in places:
            self.group.shut(place)
            self.engine.drop(place)
            self.trainer.drop(place)
            self.progress.forget(place)
            self.telemetry.forget(place)
            self.partitions.pop(place, None)
            self._replaying.pop(place, None)
            self._held.discard(place)
            self._unfinished.pop(place, None)

    def _restart(self, partitions: Iterable[TopicPartition]) -> None:
        """Restore partitions whose state is ahead of the log, or behind its beginning."""
        places = _plain(partitions)
        if not places:
            return
        self._drop(places)
        self.progress.phase(restored=False)
        ours = [place for place in places if place in self.group.owned]
        self._losses.update(ours)
        again = max((self._losses[place] for place in ours), default=1) - 1  # since they last said something
        first, longest = _LOST_AGAIN
        self.restorer.begin(ours, min(first * 2 ** (again - 1), longest) if again else 0.0)

    def _open(self, loaded: Loaded) -> None:
        place, start = loaded.place, loaded.start
        told = "%s-%d: reads from offset %d, live from %d: %s"
        log.info(told, *place, start.seek, start.live_from, start.reason)
        partition = Partition(
            place,
            self.engine,
            seek=start.seek,
            live_from=start.live_from,
            pin=self.pin_of(place[0]),
            close_grace_ms=self.close_grace_ms,
            most_series=self.most_series,
            barrier=self.barrier,
            topic_partitions=loaded.topic_partitions,
            changes=loaded.changes,
            claims=True,
        )
        if loaded.checkpoint is not None:
            try:
                partition.take_up(loaded.checkpoint, loaded.models)
            except (KeyError, ValueError) as error:
                log.error("%s-%d: its checkpoint does not fit, going on without: %r", *place, error)
                self.restorer.saved.refuse(place, start.seek)
                self._restart([place])
                return
        for series in loaded.elsewhere:
            partition.refuse(series)
        self.partitions[place] = partition
        self._replaying[place] = loaded
        self.commands.restored(loaded.executed)
        self.group.seek_and_resume(place, start.seek)

    def _tell_live(self, caught_up: Collection[TopicPartition]) -> None:
        """Say which partitions have gone live: by position, or since there is nothing more to replay."""
        for place, loaded in [*self._replaying.items()]:
            if not self.partitions[place].live and place not in caught_up:
                continue
            del self._replaying[place]
            seconds, start = time.monotonic() - loaded.began, loaded.start
            kind = "partition.rebuilt" if loaded.rebuilt else "partition.restored"
            data = {"offset": start.live_from, "seconds": round(seconds, 3), "reason": start.reason}
            log.log(logging.WARNING if loaded.rebuilt else logging.INFO, "%s-%d: %s", *place, kind)
            self.telemetry.restored(seconds)
            self._say(kind, place, data)
        self.progress.phase(restored=not self._replaying and not self.restorer.running)

    # -- records -----------------------------------------------------------------------------------

    def _feed(self, fetched: Fetched) -> None:
        received = time.monotonic()
        for at, records in fetched.items():
            place = (at.topic, at.partition)
            partition = self.partitions.get(place)
            if partition is None:
                continue
            partition.feed(records, received)
            if partition.queued > _QUEUED:
                self._held.add(place)
                self.group.pause(place)

    def _take(self) -> dict[TopicPartition, Taken]:
        """A turn of every partition that is ready, as many candles in all as the pace allows."""
        ready = [place for place, partition in self.partitions.items() if partition.ready]
        candles, records = (max(1, most // max(1, len(ready))) for most in (self._pace.candles, _TURN))
        taken = {place: self.partitions[place].turn(candles, records) for place in ready}
        self._pace.took(sum(one.closed for one in taken.values()))
        for place in [*self._held]:
            if self.partitions[place].queued <= _QUEUED // 2:
                self._held.discard(place)
                self.group.resume(place)
        return taken

    def _leaving(
        self, taken: Mapping[TopicPartition, Taken], said: Mapping[object, Outputs]
    ) -> dict[TopicPartition, Said]:
        """Records and next offset of every live partition that has moved.

        What rests on one record leaves together: no offset lies between its candles.
        """
        leaving: dict[TopicPartition, Said] = {}
        for place, one in taken.items():
            self.telemetry.taken(one)
            if one.filled_up:
                self._tell_full(place)
            partition = self.partitions[place]
            if not partition.live:
                continue
            letters = [self.dead_letters.letter(place, record, mistake) for record, mistake in one.dead]
            outputs = self.encoder.outputs(said[place]) if place in said else []
            records = [*self._unfinished.pop(place, []), *letters, *outputs]
            if partition.position.candles:
                self._unfinished[place] = records
            else:
                leaving[place] = (records, partition.next_offset)
        return leaving

    def _tell_full(self, place: TopicPartition) -> None:
        told = "%s-%d has %d series and takes no more; raise worker.series_per_partition or find their sender"
        log.error(told, *place, self.most_series)
        self._say("partition.full", place, {"series": self.most_series})

    def _say(self, kind: str, place: TopicPartition, data: dict[str, Any]) -> None:
        topic, partition = place
        data = {"topic": topic, "partition": partition} | data
        self.publisher.publish_soon([self.encoder.own(kind, data, about=f"{topic}-{partition}")])

    async def _publish(
        self, leaving: Mapping[TopicPartition, Said], said: Mapping[Hashable, Outputs]
    ) -> None:
        lost: Collection[TopicPartition] = ()
        try:
            await self.publisher.publish_all(leaving)
        except PartitionLost as error:
            log.error("restoring: %s", error)
            lost = error.partitions
            self._restart(lost)
        self.telemetry.published(outputs for place, outputs in said.items() if place not in lost)
        for place, (records, _) in leaving.items():
            if records and place not in lost:
                self._losses.pop(place, None)


@asynccontextmanager
async def _cut_off(stop: asyncio.Event, seconds: float) -> AsyncIterator[None]:
    """Give what runs in it `seconds` more from when `stop` is set. Raises `TimeoutError`."""
    async with asyncio.timeout(None) as limit:

        async def watch() -> None:
            await stop.wait()
            limit.reschedule(asyncio.get_running_loop().time() + seconds)

        watching = asyncio.create_task(watch(), name="stop")
        try:
            yield
        finally:
            watching.cancel()


def _plain(partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
    """As plain pairs, whatever kind of pair the client uses."""
    return [(topic, partition) for topic, partition in partitions]
