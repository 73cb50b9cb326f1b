"""Exactly once: what a partition says and the offset that it rests on, in one transaction.

Why one producer for each input partition, and why it starts before the offset is read:
`docs/adr/0001-exactly-once.md`.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from stream_lstm.errors import BrokerError, PartitionLost
from stream_lstm.kafka.batch_producer import BatchProducer, Transactions
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.loose import Loose
from stream_lstm.kafka.records import Record, TopicPartition
from stream_lstm.streaming.publisher import Offsets, Said, named

log = logging.getLogger(__name__)

_STARTING: Final = 16
"""Producers that start at the same time."""
_OPEN: Final = 64
"""Transactions that are open at the same time."""
_STOP_SECONDS: Final = 3.0


class ExactlyOnce:
    """A transaction for every partition that says something; readers with `read_committed` see each once.

    An offset without outputs is committed `commit_interval_s` after it was given at the latest, if
    `publish_all` is called. `timeout_s` bounds every call. A producer that fails in anything is dropped and
    its partition lost: to be restored from what is committed, with a producer of its own again.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        offsets: Offsets,
        topics: Mapping[str, str],
        group: str,
        *,
        transaction_timeout_s: float = 10.0,
        most_partitions: int = 1_000,
        commit_interval_s: float = 5.0,
        timeout_s: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.commit_interval_s = commit_interval_s
        self.timeout_s = timeout_s
        self.most_partitions = most_partitions
        self._connection = connection
        self._offsets = offsets
        self._topics = topics
        self._group = group
        self._transaction_timeout_s = transaction_timeout_s
        self._clock = clock
        self._producers: dict[TopicPartition, BatchProducer] = {}
        self._waiting: dict[TopicPartition, tuple[int, float]] = {}  # offsets, and since when
        self._opening: set[TopicPartition] = set()
        self._starting = asyncio.Semaphore(_STARTING)
        self._open = asyncio.Semaphore(_OPEN)
        self._plain = BatchProducer(connection, topics)
        self._loose = Loose(self._plain, timeout_s)
        self._stopping: set[asyncio.Task[None]] = set()

    async def start(self, deadline: Deadline) -> None:
        """Connect, retrying until the deadline. Raises `BrokerError`."""
        await self._plain.start(deadline)
        self._loose.start()

    async def stop(self, deadline: Deadline) -> None:
        """Send what `publish_soon` still holds, as far as the deadline allows, and disconnect."""
        self._drop([*self._producers])
        await self._loose.stop(deadline)
        await self._plain.stop(deadline)
        if self._stopping:
            await asyncio.wait(self._stopping, timeout=deadline.remaining())

    async def open(self, partition: TopicPartition) -> int | None:
        """Take a partition over: ends the transactions of whoever had it, then reads its committed offset.

        Raises `BrokerError`.
        """
        self._drop([partition])
        taken = len(self._producers.keys() | self._opening)
        if taken >= self.most_partitions:
            raise BrokerError(
                f"{taken} partitions have a transactional producer already: "
                "max_transactional_partitions; start more workers, or raise it"
            )
        self._opening.add(partition)
        try:
            async with self._starting:
                return await self._take_over(partition)
        finally:
            self._opening.discard(partition)

    async def publish_all(self, said: Mapping[TopicPartition, Said]) -> None:
        """Return when the transaction of every partition that says something is committed.

        An empty mapping commits the offsets that have become due. Raises `PartitionLost` for those whose
        transaction is not known to be committed; the others are.
        """
        now = self._clock()
        for partition, (_, offset) in said.items():
            _, since = self._waiting.get(partition, (offset, now))
            self._waiting[partition] = (offset, since)
        records = {partition: records for partition, (records, _) in said.items() if records}
        for partition, (_, since) in self._waiting.items():
            if now - since >= self.commit_interval_s:
                records.setdefault(partition, ())
        await self._transact_all(records)

    def settled(self, partition: TopicPartition) -> bool:
        """Whether no offset of a partition waits for its transaction."""
        return partition not in self._waiting

    async def close(self, partitions: Iterable[TopicPartition], *, commit: bool = True) -> None:
        """Commit the offsets that wait, unless told not to, and forget the partitions.

        Raises `BrokerError`.
        """
        closing = list(partitions)
        try:
            if commit:
                await self._transact_all({one: () for one in closing if one in self._waiting})
        finally:
            self._drop(closing)

    def publish_soon(self, records: Iterable[Record]) -> None:
        """Queue what rests on no offset; it is in no transaction."""
        self._loose.put(records)

    @property
    def loose(self) -> int:
        """Records of `publish_soon` that are not acknowledged yet."""
        return len(self._loose)

    async def _take_over(self, partition: TopicPartition) -> int | None:
        name = f"{self._group}/{partition[0]}/{partition[1]}"
        transactions = Transactions(name, self._transaction_timeout_s)
        producer = BatchProducer(self._connection, self._topics, transactions)
        await producer.start(Deadline(self.timeout_s))
        self._producers[partition] = producer
        try:
            return await self._offsets.committed(partition, Deadline(self.timeout_s))
        except BaseException:
            self._drop([partition])
            raise

    async def _transact_all(self, records: Mapping[TopicPartition, Iterable[Record]]) -> None:
        deadline = Deadline(self.timeout_s)
        work = [self._transact(partition, list(some), deadline) for partition, some in records.items()]
        lost = []
        for error in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(error, PartitionLost):
                lost.append(error)
            elif error is not None:
                raise error
        if lost:
            partitions = {one for error in lost for one in error.partitions}
            raise PartitionLost(f"{named(partitions)}: {lost[0]}", partitions) from lost[0]

    async def _transact(self, partition: TopicPartition, records: list[Record], deadline: Deadline) -> None:
        offset = self._waiting[partition][0]
        try:
            producer = self._producers.get(partition)
            if producer is None:
                raise PartitionLost("its transactional producer is gone")
            async with self._open:
                await producer.transact(records, {partition: offset}, self._group, deadline)
        except BaseException as error:  # cancelled too: nobody knows what has become of the transaction
            self._drop([partition])
            if isinstance(error, PartitionLost):
                raise PartitionLost(str(error), [partition]) from error
            raise
        del self._waiting[partition]

    def _drop(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget partitions; their producers stop by themselves, nobody waits for them."""
        for partition in partitions:
            self._waiting.pop(partition, None)
            if (producer := self._producers.pop(partition, None)) is not None:
                task = asyncio.create_task(producer.stop(Deadline(_STOP_SECONDS)), name="stop a producer")
                self._stopping.add(task)
                task.add_done_callback(self._stopping.discard)
