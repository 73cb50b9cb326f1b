"""What leaves a partition: outputs first, then the offset that they rest on.

Three verbs: `open` a partition, `publish` what it says together with its next offset, `close` it.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Protocol

from stream_lstm.errors import BrokerError, PartitionLost
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.loose import Loose
from stream_lstm.kafka.records import Record, TopicPartition

Said = tuple[Sequence[Record], int]
"""What one partition says, and its next offset after that."""


class Offsets(Protocol):
    """Where the offsets of the group are kept; `group.GroupConsumer` is one."""

    async def committed(self, partition: TopicPartition, deadline: Deadline) -> int | None:
        """The committed offset; None if there is none. Raises `BrokerError`."""

    async def commit(self, offsets: Mapping[TopicPartition, int], deadline: Deadline) -> None:
        """Commit next offsets. Raises `BrokerError`."""


class Publisher(Protocol):
    """The verbs by which everything leaves a worker, whatever the delivery guarantee."""

    async def start(self, deadline: Deadline) -> None:
        """Connect. Raises `BrokerError` at the deadline."""

    async def stop(self, deadline: Deadline) -> None:
        """Send what waits, as far as the deadline allows, and disconnect."""

    async def open(self, partition: TopicPartition) -> int | None:
        """Take over a partition; returns its committed offset, None if there is none."""

    async def publish_all(self, said: Mapping[TopicPartition, Said]) -> None:
        """Publish what several partitions said in one turn of the loop.

        Raises `PartitionLost`, which names those that must be restored; what the others said is out.
        """

    def settled(self, partition: TopicPartition) -> bool:
        """Whether every offset that was given to `publish_all` for a partition is committed."""

    async def close(self, partitions: Iterable[TopicPartition], *, commit: bool = True) -> None:
        """Give partitions up."""

    def publish_soon(self, records: Iterable[Record]) -> None:
        """Publish what rests on no offset: replies, worker events."""

    @property
    def loose(self) -> int:
        """Records of `publish_soon` that are not acknowledged yet."""


class AtLeastOnce:
    """Outputs are acknowledged before the offset is committed; a crash in between repeats them.

    An offset without outputs is committed `commit_interval_s` after the last commit at the latest, if
    `publish_all` is called. `timeout_s` bounds every call. After `PartitionLost` the partitions of that call
    must be restored from their committed offsets: their state is ahead of what is known to be in the log.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        offsets: Offsets,
        topics: Mapping[str, str],
        *,
        commit_interval_s: float = 5.0,
        timeout_s: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.commit_interval_s = commit_interval_s
        self.timeout_s = timeout_s
        self._producer = BatchProducer(connection, topics)
        self._offsets = offsets
        self._clock = clock
        self._uncommitted: dict[TopicPartition, int] = {}
        self._committed_at = clock()
        self._loose = Loose(self._producer, timeout_s)

    async def start(self, deadline: Deadline) -> None:
        """Connect, retrying until the deadline. Raises `BrokerError`."""
        await self._producer.start(deadline)
        self._loose.start()

    async def stop(self, deadline: Deadline) -> None:
        """Send what `publish_soon` still holds, as far as the deadline allows, and disconnect."""
        await self._loose.stop(deadline)
        await self._producer.stop(deadline)

    async def open(self, partition: TopicPartition) -> int | None:
        """The committed offset of a partition that was just assigned. Raises `BrokerError`."""
        self._uncommitted.pop(partition, None)
        return await self._offsets.committed(partition, Deadline(self.timeout_s))

    async def publish(self, partition: TopicPartition, records: Sequence[Record], next_offset: int) -> None:
        """`publish_all` of one partition."""
        await self.publish_all({partition: (records, next_offset)})

    async def publish_all(self, said: Mapping[TopicPartition, Said]) -> None:
        """Return when all records are acknowledged and, if there were some or it is time, offsets committed.

        One flush and one commit, however many partitions. An empty mapping commits what has become due.
        """
        deadline = Deadline(self.timeout_s)
        records = list(chain.from_iterable(records for records, _ in said.values()))
        try:
            if records:
                await self._producer.send(records, deadline)
            self._uncommitted.update({partition: offset for partition, (_, offset) in said.items()})
            if records or self._clock() - self._committed_at >= self.commit_interval_s:
                await self._commit(self._uncommitted, deadline)
        except BrokerError as error:
            self._forget(said)
            raise PartitionLost(f"{named(said)}: {error}", [*said]) from error

    def settled(self, partition: TopicPartition) -> bool:
        """Whether no offset of a partition waits for its commit."""
        return partition not in self._uncommitted

    async def close(self, partitions: Iterable[TopicPartition], *, commit: bool = True) -> None:
        """Commit the offsets that wait, unless told not to, and forget the partitions. Raises `BrokerError`.

        A partition that was lost has none that waits.
        """
        closing = set(partitions)
        waiting = {
            place: offset for place, offset in self._uncommitted.items() if commit and place in closing
        }
        try:
            await self._commit(waiting, Deadline(self.timeout_s))
        finally:
            self._forget(closing)

    def publish_soon(self, records: Iterable[Record]) -> None:
        """Queue what rests on no offset."""
        self._loose.put(records)

    @property
    def loose(self) -> int:
        """Records of `publish_soon` that are not acknowledged yet."""
        return len(self._loose)

    async def _commit(self, offsets: Mapping[TopicPartition, int], deadline: Deadline) -> None:
        if offsets:
            await self._offsets.commit(dict(offsets), deadline)
            self._forget(list(offsets))
        self._committed_at = self._clock()

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._uncommitted.pop(partition, None)


def named(said: Iterable[TopicPartition]) -> str:
    """Some partitions by name, for a message."""
    names = [f"{topic}-{partition}" for topic, partition in said]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
