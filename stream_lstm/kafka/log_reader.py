"""Reading stretches of a log without a group: for facts, and for where to begin."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from stream_lstm.errors import BrokerError
from stream_lstm.kafka.connection import Deadline, KafkaConnection, bounded_stop, start_with_backoff
from stream_lstm.kafka.refusals import cause

T = TypeVar("T")
Place = tuple[str, int]

_POLL_MS: Final = 50
_STOP_SECONDS: Final = 3.0


class Span(NamedTuple):
    """Offsets from `start` up to, but without, `stop`."""

    start: int
    stop: int


class LogReader:
    """A consumer outside any group that reads committed records, one stretch at a time.

    An async context manager with one deadline; every method raises `BrokerError` when that has passed.
    """

    def __init__(self, connection: KafkaConnection, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._consumer: AIOKafkaConsumer = None

    async def __aenter__(self) -> Self:
        self._consumer = await self._started("read_committed")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await bounded_stop(self._consumer, _STOP_SECONDS)

    async def partitions(self, topic: str) -> list[TopicPartition]:
        """The partitions of a topic, in order."""
        await self.spans([(topic, 0)])  # asking for an offset makes the client learn the topic
        numbers = sorted(self._consumer.partitions_for_topic(topic))
        return [TopicPartition(topic, number) for number in numbers]

    async def spans(self, partitions: Iterable[Place]) -> dict[TopicPartition, Span]:
        """What is in the log now; it stops before the first transaction that is still open."""
        return await self._spans(self._consumer, partitions)

    async def written(self, partitions: Iterable[Place]) -> dict[TopicPartition, Span]:
        """What is in the log now, open transactions included: to read it waits until they have ended."""
        consumer = await self._started("read_uncommitted")
        try:
            return await self._spans(consumer, partitions)
        finally:
            await bounded_stop(consumer, _STOP_SECONDS)

    async def offset_at(self, partition: Place, time_ms: int) -> int | None:
        """The first offset whose timestamp is at or after `time_ms`; None if all are before."""
        place = TopicPartition(*partition)
        asked = self._consumer.offsets_for_times({place: max(time_ms, 0)})
        found = (await self._bounded(asked, f"an offset of {place.topic} by time"))[place]
        return None if found is None else int(found.offset)

    async def read(self, spans: Mapping[Place, Span]) -> AsyncIterator[ConsumerRecord]:
        """The records of several stretches, in order within each.

        It ends by position, not by the last record: a stretch may end with transaction markers. What
        retention has removed meanwhile is skipped.
        """
        left = {TopicPartition(*place): span for place, span in spans.items() if span.start < span.stop}
        self._consumer.assign(list(left))
        for place, span in left.items():
            self._consumer.seek(place, span.start)
        while left:
            for place, records in (await self._fetch(left)).items():
                for record in records:
                    if record.offset < left[place].stop:
                        yield record
            for place in list(left):
                if await self._consumer.position(place) >= left[place].stop:
                    self._consumer.pause(place)
                    del left[place]

    async def _started(self, isolation: str) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **self._connection.client_options(),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level=isolation,
        )
        try:
            await start_with_backoff(consumer, "a reader", self._deadline)
        except BaseException:
            await bounded_stop(consumer, _STOP_SECONDS)
            raise
        return consumer

    async def _spans(
        self, consumer: AIOKafkaConsumer, partitions: Iterable[Place]
    ) -> dict[TopicPartition, Span]:
        places = [TopicPartition(*partition) for partition in partitions]
        what = f"the offsets of {', '.join(sorted({place.topic for place in places}))}"
        starts = await self._bounded(consumer.beginning_offsets(places), what)
        stops = await self._bounded(consumer.end_offsets(places), what)
        return {place: Span(starts[place], stops[place]) for place in places}

    async def _fetch(self, left: Mapping[TopicPartition, Span]) -> dict[TopicPartition, list[ConsumerRecord]]:
        what = f"records of {', '.join(sorted({place.topic for place in left}))}"
        try:
            return await self._bounded(self._consumer.getmany(timeout_ms=_POLL_MS), what)
        except OffsetOutOfRangeError as error:
            lost = error.args[0]
            for place, span in (await self.spans(lost)).items():
                self._consumer.seek(place, span.start)
            return {}

    async def _bounded(self, answer: Awaitable[T], what: str) -> T:
        try:
            async with asyncio.timeout(self._deadline.remaining()):
                return await answer
        except OffsetOutOfRangeError:
            raise
        except (TimeoutError, KafkaError) as error:
            servers = self._connection.bootstrap_servers
            raise BrokerError(f"cannot read {what} ({servers}): {cause(error)}") from error
