"""The group consumer: members, a gate in front of every partition, and rebalances as queued changes.

A partition's records are handed out only after `seek_and_resume`: what the client would have fetched by
itself, from a position that may be stale, is never seen. No committed offset is loaded but by `committed`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from stream_lstm.errors import BrokerError, PartitionLost
from stream_lstm.kafka import group_offsets, membership
from stream_lstm.kafka.connection import (
    Deadline,
    KafkaConnection,
    bounded_stop,
    start_with_backoff,
    telling,
)
from stream_lstm.kafka.membership import GroupConfig
from stream_lstm.kafka.reading_rights import ReadingRights
from stream_lstm.kafka.rebalance import Assigned, Change, OutOfRange, Revoked
from stream_lstm.kafka.refusals import cause

log = logging.getLogger(__name__)

Place = tuple[str, int]
"""Topic and partition; aiokafka's `TopicPartition` is one."""
Fetched = dict[TopicPartition, list[ConsumerRecord]]

_STOP_SECONDS: Final = 5.0
_POSITION_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 3.0


class GroupConsumer:
    """One member of the group. Every method belongs to the loop's thread and every await is bounded.

    The worker's loop takes `changes()` before each `poll`, which returns at once while there are some.
    """

    def __init__(self, connection: KafkaConnection, config: GroupConfig) -> None:
        self.config = config
        self._connection = connection
        self._consumer: AIOKafkaConsumer = None
        self._rights: ReadingRights  # of the client, once there is one
        self._changes: deque[Change] = deque()
        self._changed = asyncio.Event()
        self._rebalancing = True
        self._owned: frozenset[TopicPartition] = frozenset()
        self._next: dict[TopicPartition, int] = {}
        self._fetch: asyncio.Task[Fetched] | None = None

    async def start(self, deadline: Deadline) -> None:
        """Connect and begin to join, retrying until the deadline. Raises `BrokerError`."""
        self._consumer = AIOKafkaConsumer(
            **self._connection.client_options(),
            **membership.options(self.config),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
        )
        self._rights = ReadingRights(self._consumer, lambda: self._open)
        await start_with_backoff(self._consumer, f"the group {self.config.group_id}", deadline)
        # Only now: a consumer that is subscribed when it starts waits there for the whole rebalance.
        self._consumer.subscribe(pattern=self.config.pattern, listener=_Listener(self))

    async def stop(self, deadline: Deadline) -> None:
        """Leave the group (a static member stays) and disconnect by the deadline. Commits nothing."""
        if self._consumer is not None:
            await bounded_stop(self._consumer, min(deadline.remaining(), _STOP_SECONDS))

    def changes(self) -> list[Change]:
        """What has happened to the assignment since the last call, in order."""
        changes = list(self._changes)
        self._changes.clear()
        self._changed.clear()
        return changes

    def wake(self) -> None:
        """Let the present `poll`, or the next one, return at once."""
        self._changed.set()
        if self._fetch is not None:
            self._fetch.cancel()

    def seek_and_resume(self, partition: Place, offset: int) -> None:
        """Open a partition at an offset. One that is not ours any more is left alone."""
        at = TopicPartition(*partition)
        if at in self._owned and at in self._consumer.assignment():
            self._consumer.seek(at, offset)
            self._consumer.resume(at)
            self._next[at] = offset

    def pause(self, partition: Place) -> None:
        """Fetch nothing more of an open partition for now; its position is kept."""
        if (at := TopicPartition(*partition)) in self._open:
            self._consumer.pause(at)

    def resume(self, partition: Place) -> None:
        """Fetch again after `pause`; a partition that is not open stays shut."""
        if (at := TopicPartition(*partition)) in self._open:
            self._consumer.resume(at)

    def shut(self, partition: Place) -> None:
        """Close the gate again, to restore a partition: nothing of it is handed out until it is opened."""
        if (at := TopicPartition(*partition)) in self._open:
            self._consumer.pause(at)
        self._next.pop(at, None)

    async def poll(self, max_records: int, timeout_s: float) -> Fetched:
        """Records of open partitions, at most `max_records`, waiting up to `timeout_s` for the first.

        Returns at once while changes wait. Raises `BrokerError` if the group cannot go on; a right that is
        taken away is no reason: it is waited for.
        """
        self._rights.ask_again()
        if self._rebalancing and (error := self._rights.met_while_joining()) is not None:
            self._go_on_after(error)
        if self._rebalancing or self._changed.is_set() or self._rights.waits:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout_s)
            return {}
        fetch = self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        self._fetch = asyncio.create_task(fetch, name="fetch")
        try:
            await asyncio.wait({self._fetch}, timeout=timeout_s + 1)
        finally:
            task, self._fetch = self._fetch, None
            # A fetch takes records only in the step in which it ends, so that a cancelled one loses none.
            task.cancel()
            await asyncio.wait({task})
        return {} if task.cancelled() else self._passed(task)

    async def committed(self, partition: Place, deadline: Deadline) -> int | None:
        """The group's committed offset; None if there is none. Raises `BrokerError` at the deadline."""
        try:
            async with asyncio.timeout(deadline.remaining()):
                found = await group_offsets.fetch(self._consumer._client, self.config.group_id, [partition])
        except (TimeoutError, KafkaError) as error:
            raise self._error(f"no committed offset of {_name(partition)}", error) from error
        return found.get((partition[0], partition[1]))

    async def commit(self, offsets: Mapping[Place, int], deadline: Deadline) -> None:
        """Commit next offsets. Raises `PartitionLost`, at the deadline at the latest.

        Refused once a revoke is acknowledged, and while a later assignment waits to be taken: the broker
        would accept it, and the offsets of an owner in between would be turned back.
        """
        own = {TopicPartition(*partition): offset for partition, offset in offsets.items()}
        strangers = own.keys() - self._owned
        if any(isinstance(change, Assigned) for change in self._changes):
            strangers = set(own)  # ours again perhaps, but somebody else's in between
        if strangers:
            raise PartitionLost(
                f"{', '.join(sorted(map(_name, strangers)))}: not ours any more, so nothing is committed; "
                "the new owner goes on from the committed offset"
            )
        try:
            with telling("offsets of %d partitions are not committed", len(own)):
                async with asyncio.timeout(deadline.remaining()):
                    await self._consumer.commit(own)
        except (TimeoutError, KafkaError) as error:
            names = ", ".join(sorted(map(_name, own)))
            raise PartitionLost(str(self._error(f"offsets of {names} not committed", error))) from error

    @property
    def owned(self) -> frozenset[TopicPartition]:
        """The partitions that are ours, open or not."""
        return self._owned

    @property
    def positions(self) -> dict[TopicPartition, int]:
        """Next offset of every open partition: one after the last record that was handed out."""
        return dict(self._next)

    async def lags(self) -> dict[TopicPartition, int]:
        """Offsets up to the last one that may be read, for open partitions that were fetched at least once.

        Transaction markers at the end count as read: a partition that has everything has no lag. What stands
        behind an open transaction is not owed: its producer may take minutes, and that is no stall of ours.
        """
        lags = {}
        for at in self._open:
            with suppress(KafkaError, TimeoutError):  # of a partition that is being revoked
                end = self._consumer.last_stable_offset(at)
                if end is not None:
                    async with asyncio.timeout(_POSITION_SECONDS):
                        lags[at] = max(end - await self._consumer.position(at), 0)
        return lags

    def last_answer_ms(self) -> int | None:
        """When a broker last answered a fetch, epoch ms; None before.

        Fresh on a quiet topic too; old when the link is dead.
        """
        times = [self._consumer.last_poll_timestamp(at) for at in self._open]
        return max((time for time in times if time is not None), default=None)

    async def answers(self) -> bool:
        """Whether a broker answers now; for a member that fetches nothing at the moment."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._consumer.topics()
        except (TimeoutError, KafkaError):
            return False
        return True

    @property
    def _open(self) -> set[TopicPartition]:
        """The open partitions that the client knows: it forgets those of other topics before it says so."""
        known: frozenset[TopicPartition] = self._consumer.assignment()
        return self._next.keys() & known

    async def _revoke(self, partitions: Iterable[TopicPartition]) -> None:
        """Called by the client before it rejoins; it waits for us."""
        self._rebalancing = True
        revoked = frozenset(partitions) & self._owned
        if revoked:
            change = Revoked(revoked, Deadline(self.config.rebalance_timeout_s / 2))
            self._queue(change)
            if not await change.acknowledged():
                log.error("gave up %d partitions before they were done: the worker is too slow", len(revoked))
        self._owned = frozenset()
        self._next.clear()

    def _assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Called by the client after it has joined."""
        self._owned = frozenset(partitions)
        for at in self._owned:
            self._consumer.pause(at)
            self._consumer.seek(at, 0)  # any position will do: without one the client looks for its own
        self._rebalancing = False
        self._rights.joined(self.config.topics)
        self._queue(Assigned(self._owned))

    def _queue(self, change: Change) -> None:
        self._changes.append(change)
        self.wake()

    def _passed(self, fetch: asyncio.Task[Fetched]) -> Fetched:
        """What of a fetch may be handed out."""
        try:
            fetched = fetch.result()
        except NoOffsetForPartitionError:
            return {}
        except OffsetOutOfRangeError as error:
            self._shut_out_of_range(error.args[0])
            return {}
        except KafkaError as error:
            self._go_on_after(error)
            return {}
        passed: Fetched = {}
        for at, records in fetched.items():
            next_offset = self._next.get(at)
            if next_offset is None:
                continue
            fresh = records
            if records[0].offset < next_offset:
                fresh = [record for record in records if record.offset >= next_offset]
            if fresh:
                passed[at] = fresh
                self._next[at] = fresh[-1].offset + 1
                self._rights.read(at.topic)
        return passed

    def _go_on_after(self, error: KafkaError) -> None:
        """Wait for a right to be given back. Raises `BrokerError` for everything else."""
        if not self._rights.refused(error):
            raise self._error(f"the group {self.config.group_id} cannot read", error) from error

    def _shut_out_of_range(self, offsets: Mapping[TopicPartition, int]) -> None:
        for at, offset in offsets.items():
            if at in self._next:
                self.shut(at)
                self._queue(OutOfRange(at, offset))

    def _error(self, what: str, error: Exception) -> BrokerError:
        return BrokerError(f"{what} ({self._connection.bootstrap_servers}): {cause(error)}")


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes the client's calls on. The client swallows exceptions here."""

    def __init__(self, group: GroupConsumer) -> None:
        self._group = group

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._group._revoke(revoked)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._group._assign(assigned)


def _name(partition: Place) -> str:
    return f"{partition[0]}-{partition[1]}"
