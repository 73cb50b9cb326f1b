"""What the dead-letter topic holds: letters, and markers that say which of them were replayed.

A letter is about one record of an input, and one record may have several: one for each bad row, and all of
them again if a worker died before it committed. So what was replayed is known by the record, not the letter.
"""

import re
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Final, NamedTuple, Self

from aiokafka import ConsumerRecord, TopicPartition

from stream_lstm.dead_letters.letter import CONNECT, REASON, REPLAYS, TRUNCATED
from stream_lstm.errors import TopicMissing
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader, Span
from stream_lstm.kafka.records import Header

REPLAYED: Final = "stream-lstm.replayed"
"""On a marker: `partition/offset` of the letter that was replayed."""
CHECKSUM: Final = "stream-lstm.crc32"
"""On a marker: CRC-32 of the letter's key and value."""
TIMESTAMP: Final = "stream-lstm.timestamp"
"""On a marker: the letter's time in epoch ms. Its own is that of the replay, so it outlives the letter."""

Count = Callable[[int, int], None]
"""Told how many records of the log have been read, and of how many."""

_PATIENCE_SECONDS: Final = 60.0
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")
_TOPIC: Final = re.compile(rb"[a-zA-Z0-9._-]{1,249}")
_STEP: Final = 500
"""Records between two reports of progress."""


class Origin(NamedTuple):
    """A record of an input. The checksum tells it from one in its place when a topic was made again."""

    topic: str
    partition: int
    offset: int
    crc: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


class Place(NamedTuple):
    """Where in the dead-letter topic something is."""

    partition: int
    offset: int


class Letter(NamedTuple):
    """As much of a dead letter as a selection needs; its bytes stay in the log."""

    place: Place
    origin: Origin
    reason: str
    timestamp_ms: int
    """The record's own."""
    replays: int
    """How often the record had been replayed already when it was refused."""
    truncated: int | None
    """Size of the original value, if the letter has only its beginning."""
    size: int
    """Bytes of key and value that are in the letter."""


class Replayed(NamedTuple):
    """A marker: this letter was replayed, and so was the record that it is about."""

    letter: Place
    origin: Origin
    reason: str
    timestamp_ms: int


Entry = Letter | Replayed


def entry_of(record: ConsumerRecord) -> Entry | None:
    """What a record of the dead-letter topic is; None for what is neither a letter nor a marker of ours.

    Never raises: whoever may write to the topic may write anything.
    """
    said = {name: content or b"" for name, content in record.headers}
    topic = _TOPIC.fullmatch(said.get(f"{CONNECT}topic", b""))
    partition, offset = (_number(said.get(f"{CONNECT}{name}")) for name in ("partition", "offset"))
    if topic is None or partition is None or offset is None or REASON not in said:
        return None
    # There are few topics and reasons, and there may be a million letters.
    reason = sys.intern(said[REASON][:64].decode(errors="replace"))
    source = (sys.intern(topic[0].decode()), partition, offset)
    if REPLAYED in said:
        place, crc, time_ms = (
            _place(said[REPLAYED]),
            _number(said.get(CHECKSUM)),
            _number(said.get(TIMESTAMP)),
        )
        if place is None or crc is None or time_ms is None:
            return None
        return Replayed(place, Origin(*source, crc), reason, time_ms)
    return Letter(
        Place(record.partition, record.offset),
        Origin(*source, checksum(record.key, record.value)),
        reason,
        record.timestamp,
        _number(said.get(REPLAYS)) or 0,
        _number(said.get(TRUNCATED)),
        len(record.key or b"") + len(record.value or b""),
    )


def checksum(key: bytes | None, value: bytes | None) -> int:
    """CRC-32 of a letter's bytes."""
    return zlib.crc32(value or b"", zlib.crc32(key or b""))


def marker(letter: Letter) -> tuple[bytes, list[Header]]:
    """Key and headers of the marker of a letter; its value is null, and it lies in the letter's partition."""
    topic, partition, offset, crc = letter.origin
    name = b"%d/%d" % letter.place
    return name, [
        (REPLAYED, name),
        (f"{CONNECT}topic", topic.encode()),
        (f"{CONNECT}partition", b"%d" % partition),
        (f"{CONNECT}offset", b"%d" % offset),
        (REASON, letter.reason.encode()),
        (CHECKSUM, b"%d" % crc),
        (TIMESTAMP, b"%d" % letter.timestamp_ms),
    ]


def _number(content: bytes | None) -> int | None:
    return int(content) if content is not None and _NUMBER.fullmatch(content) else None


def _place(content: bytes) -> Place | None:
    partition, _, offset = content.partition(b"/")
    numbers = _number(partition), _number(offset)
    return None if numbers[0] is None or numbers[1] is None else Place(numbers[0], numbers[1])


class Patience(Deadline):
    """A deadline that is as far away again after every step forward."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._seconds = seconds

    def renew(self) -> None:
        """There was progress."""
        self._end = self._clock() + self._seconds


class DeadLetterLog:
    """Reads the dead-letter topic, and originals in the inputs, without a group. An async context manager.

    Entering raises `TopicMissing` with the way out. Everything raises `BrokerError` after a minute without
    an answer or a record.
    """

    def __init__(
        self, connection: KafkaConnection, topic: str, patience_s: float = _PATIENCE_SECONDS
    ) -> None:
        self.topic = topic
        self.partitions: dict[str, int] = {}
        """Partition counts of all topics that there are."""
        self._connection = connection
        self._patience = Patience(patience_s)
        self._reader = LogReader(connection, self._patience)

    async def __aenter__(self) -> Self:
        self.partitions = await topic_admin.partition_counts(self._connection, self._patience)
        if self.topic not in self.partitions:
            raise TopicMissing(
                f"{self._connection.bootstrap_servers} has no topic {self.topic!r}, or this user may not see "
                f"it: see that topics.prefix is that of the worker, or create it with "
                f"`{topic_admin.CREATE_COMMAND}`"
            )
        self._patience.renew()
        await self._reader.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.__aexit__(kind, error, trace)

    async def committed(self, since_ms: int | None = None) -> dict[TopicPartition, Span]:
        """All that can be read now without waiting, from the first record of a time on."""
        spans = await self._reader.spans(self._places())
        if since_ms is None:
            return spans
        found = {place: await self._reader.offset_at(place, since_ms) for place in spans}
        return {
            place: Span(max(start, stop if found[place] is None else found[place] or 0), stop)
            for place, (start, stop) in spans.items()
        }

    async def written(self) -> dict[TopicPartition, Span]:
        """All that is in the log now: to read it waits for transactions that are still open."""
        return await self._reader.written(self._places())

    async def extents(self, places: Iterable[tuple[str, int]]) -> Mapping[TopicPartition, Span]:
        """What partitions that exist hold now."""
        wanted = list(places)
        return await self._reader.spans(wanted) if wanted else {}

    async def read(
        self, spans: Mapping[tuple[str, int], Span], progress: Count = lambda done, total: None
    ) -> AsyncIterator[ConsumerRecord]:
        """The records of some stretches, whichever topic they are of; in order within each."""
        total, done = sum(max(0, stop - start) for start, stop in spans.values()), 0
        self._patience.renew()
        async for record in self._reader.read(spans):
            self._patience.renew()
            done += 1
            if done % _STEP == 0:
                progress(done, total)
            yield record
        progress(total, total)

    def _places(self) -> list[tuple[str, int]]:
        return [(self.topic, number) for number in range(self.partitions[self.topic])]
