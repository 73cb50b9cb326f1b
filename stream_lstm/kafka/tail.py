"""Following topics as they grow, without a group: for everybody who watches and changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from stream_lstm.errors import BrokerError, TopicMissing
from stream_lstm.kafka.connection import Deadline, KafkaConnection, bounded_stop, start_with_backoff
from stream_lstm.kafka.topic_admin import CREATE_COMMAND


class Last(NamedTuple):
    """So many offsets before the end of each partition, transaction markers among them."""

    offsets: int


Begin = int | Last | Literal["now", "beginning"]
"""Where to begin: at the end as of now, before it, at what is oldest, or at a time in epoch ms."""
Batch = list[tuple[str, ConsumerRecord]]
"""Records with the logical names of their topics; those of one partition in order."""

_POLL_SECONDS: Final = 0.2
_MAX_RECORDS: Final = 2_000
_STOP_SECONDS: Final = 3.0


class Tail:
    """Reads the committed records of several topics, from `begin` on and for ever.

    An async context manager and an async iterator of batches. `topics` are real names by logical ones.
    Partitions that a topic is given later are not followed. While Kafka is away nothing comes; when it is
    back it goes on where it was. What retention has removed meanwhile is skipped.

    Entering returns when it is settled where each partition begins: what is written after that is read. It
    raises `TopicMissing` with the way out, and `BrokerError` if Kafka gives no answer in `start_seconds`.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Mapping[str, str],
        begin: Begin = "now",
        *,
        start_seconds: float = 30.0,
        uncommitted: bool = False,
    ) -> None:
        """With `uncommitted` what is in open or aborted transactions is read as well, and nothing waits."""
        self._connection = connection
        self._logical = {real: logical for logical, real in topics.items()}
        self._begin = begin
        self._start_seconds = start_seconds
        self._isolation = "read_uncommitted" if uncommitted else "read_committed"
        self._ends: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer = None

    async def __aenter__(self) -> Self:
        deadline = Deadline(self._start_seconds)
        self._consumer = AIOKafkaConsumer(
            **self._connection.client_options(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # of an offset that is no longer there
            isolation_level=self._isolation,
        )
        try:
            await start_with_backoff(self._consumer, "a reader", deadline)
            await self._settle(deadline)
        except BaseException:
            await bounded_stop(self._consumer, _STOP_SECONDS)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await bounded_stop(self._consumer, _STOP_SECONDS)

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """Batches as they come, none of them empty. Raises like `poll`."""
        while True:
            if batch := await self.poll(_POLL_SECONDS):
                yield batch

    async def poll(self, seconds: float) -> Batch:
        """What has come, at most 2,000 records; waits up to `seconds` for the first.

        Raises `BrokerError` if Kafka refuses, but not while it is away.
        """
        try:
            fetched = await self._consumer.getmany(timeout_ms=int(seconds * 1000), max_records=_MAX_RECORDS)
        except KafkaError as error:
            raise self._failure("follow", repr(error)) from error
        return [(self._logical[place.topic], record) for place, found in fetched.items() for record in found]

    async def ends(self, seconds: float) -> dict[TopicPartition, int]:
        """Where the partitions end now. Raises `BrokerError`."""
        try:
            async with asyncio.timeout(seconds):
                return dict(await self._consumer.end_offsets(list(self._consumer.assignment())))
        except TimeoutError as error:
            raise self._failure("ask for the end of", "no answer in time") from error
        except KafkaError as error:
            raise self._failure("ask for the end of", repr(error)) from error

    async def positions(self) -> dict[TopicPartition, int]:
        """Offsets of what comes next, by partition."""
        return {place: await self._consumer.position(place) for place in self._consumer.assignment()}

    def was_there(self, record: ConsumerRecord) -> bool:
        """Whether a record was in the log already on entering."""
        return bool(record.offset < self._ends[TopicPartition(record.topic, record.partition)])

    async def has_caught_up(self) -> bool:
        """Whether all that was in the log on entering has been read, or was removed."""
        return all(position >= self._ends[place] for place, position in (await self.positions()).items())

    async def _settle(self, deadline: Deadline) -> None:
        """Give the consumer all partitions and in each the offset at which it begins."""
        try:
            async with asyncio.timeout(deadline.remaining()):
                offsets = await self._offsets(await self._partitions())
        except TimeoutError as error:
            raise self._failure("begin to read", "no answer in time") from error
        except KafkaError as error:
            raise self._failure("begin to read", repr(error)) from error
        self._consumer.assign(list(offsets))
        for place, offset in offsets.items():
            self._consumer.seek(place, offset)

    async def _partitions(self) -> list[TopicPartition]:
        topics = sorted(self._logical)
        existing = await self._consumer.topics()
        if missing := [topic for topic in topics if topic not in existing]:
            raise TopicMissing(
                f"{self._connection.bootstrap_servers} has no topic {', '.join(map(repr, missing))}, or this "
                f"user may not see it: create what is missing with `{CREATE_COMMAND}`, and see that "
                "topics.prefix is that of the worker"
            )
        # Asking for an offset makes the client learn the partitions.
        await self._consumer.end_offsets([TopicPartition(topic, 0) for topic in topics])
        return [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(self._consumer.partitions_for_topic(topic))
        ]

    async def _offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        places = list(places)
        self._ends = ends = dict(await self._consumer.end_offsets(places))
        if self._begin == "now":
            return ends
        if self._begin == "beginning" or isinstance(self._begin, Last):
            oldest = await self._consumer.beginning_offsets(places)
            back = self._begin.offsets if isinstance(self._begin, Last) else max(ends.values())
            return {place: max(oldest[place], ends[place] - back) for place in places}
        time_ms = max(self._begin, 0)
        found = await self._consumer.offsets_for_times(dict.fromkeys(places, time_ms))
        return {place: found[place].offset if found[place] else ends[place] for place in places}

    def _failure(self, what: str, cause: str) -> BrokerError:
        topics, servers = ", ".join(sorted(self._logical)), self._connection.bootstrap_servers
        return BrokerError(f"cannot {what} {topics} at {servers}: {cause}")
