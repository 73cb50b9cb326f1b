"""`stream-lstm dlq replay`: dead letters back into the inputs that they came from, each record once.

Once, whatever dies in between and without a file, rests on three things:

1. A record is written again *in one transaction with its markers*, records of the dead-letter topic that name
   its letters. So readers with `read_committed` find it in its input if and only if its markers are there.
2. There is one `transactional.id` for each dead-letter topic, and its producer starts *before* the log is
   read: that ends what another `dlq replay` has begun, committed or aborted, and forbids it everything more.
   So the markers that are read then are all that there will ever be, but for our own.
3. The log is read to its *written* end: a marker may lie behind a transaction of a worker that is still open.

Readers of an input wait while a transaction is open in it. So all bytes are read before one begins; what a
killed `dlq replay` has left open is aborted by the broker after ten seconds and a few.
"""

import asyncio
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError, ProducerFenced

from stream_lstm.dead_letters.letter import CONNECT, REPLAYS, TRUNCATED_BYTES
from stream_lstm.dead_letters.log import (
    Count,
    DeadLetterLog,
    Letter,
    Origin,
    Place,
    checksum,
    marker,
)
from stream_lstm.dead_letters.plan import ORIGINAL_GONE, Case, Plan, Wanted, batches, survey
from stream_lstm.errors import BrokerError
from stream_lstm.kafka.batch_producer import note_outcome
from stream_lstm.kafka.connection import Deadline, KafkaConnection, bounded_stop, start_with_backoff
from stream_lstm.kafka.log_reader import Span
from stream_lstm.kafka.records import Header
from stream_lstm.kafka.topics import replay_id

REPLAY_OF: Final = "stream-lstm.replay-of"
"""On a record that was replayed: `topic/partition/offset` of the dead letter."""

_TRANSACTION_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 3.0
_LARGEST_REQUEST: Final = 64 * 1024 * 1024
"""The broker's own bound is what counts: an original that is read again was let in by it once."""


def nothing(done: int, total: int) -> None:
    """Tell nobody."""


class Returned(NamedTuple):
    """A record to be written again, and the letters that are replayed by it."""

    origin: Origin
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Sequence[Header]
    letters: Sequence[Letter]


class LetterWriter:
    """Writes records and their markers, a transaction per batch. An async context manager.

    Entering waits until whatever another one has begun on this topic has ended; what that one begins from
    then on fails. Everything raises `BrokerError`.
    """

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self.written = 0
        """Records that are committed."""
        self._topic = topic
        self._servers = connection.bootstrap_servers
        self._producer = AIOKafkaProducer(
            **connection.client_options(),
            transactional_id=replay_id(topic),
            transaction_timeout_ms=round(_TRANSACTION_SECONDS * 1000),
            compression_type="snappy" if find_spec("cramjam") else None,
            max_request_size=_LARGEST_REQUEST,
        )

    async def __aenter__(self) -> Self:
        try:
            await start_with_backoff(self._producer, "the producer of the replay", Deadline(_ANSWER_SECONDS))
        except BaseException:
            await bounded_stop(self._producer, _STOP_SECONDS)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await bounded_stop(self._producer, _STOP_SECONDS)

    async def write(self, records: Sequence[Returned]) -> None:
        """Return when all of them are committed. Otherwise none is, or all are and the answer was lost."""
        try:
            async with asyncio.timeout(_TRANSACTION_SECONDS):
                await self._producer.begin_transaction()
                await self.fill(records)
                await self._producer.commit_transaction()
                self.written += len(records)
        except (TimeoutError, KafkaError, AssertionError) as error:  # an assertion: it was dead already
            await self._abort()
            raise self._failure(records, error) from error
        except BaseException:
            await self._abort()
            raise

    async def fill(self, records: Iterable[Returned]) -> None:
        """Send records and markers within a transaction; returns when the brokers have them."""
        sent: list[asyncio.Future[Any]] = []
        try:
            for record in records:
                sent.append(await self._send_record(record))
                sent += [await self._send_marker(letter) for letter in record.letters]
        except KafkaError:
            await _raise_first(sent)  # why a send fails is known to those before it
            raise
        await _raise_first(sent)

    async def _send_record(self, record: Returned) -> asyncio.Future[Any]:
        topic, partition = record.origin[:2]
        future: asyncio.Future[Any] = await self._producer.send(
            topic,
            record.value,
            record.key,
            partition=partition,
            timestamp_ms=record.timestamp_ms,
            headers=list(record.headers),
        )
        future.add_done_callback(note_outcome)
        return future

    async def _send_marker(self, letter: Letter) -> asyncio.Future[Any]:
        key, headers = marker(letter)
        place = letter.place.partition
        future: asyncio.Future[Any] = await self._producer.send(
            self._topic, key=key, partition=place, headers=headers
        )
        future.add_done_callback(note_outcome)
        return future

    async def _abort(self) -> None:
        """End the transaction now, if Kafka lets us: readers of the inputs need not wait for its time-out."""
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._producer.abort_transaction()
        except (TimeoutError, KafkaError, AssertionError):
            return  # fenced, or away: the broker does it

    def _failure(self, records: Sequence[Returned], error: Exception) -> BrokerError:
        first, last = records[0].origin, records[-1].origin
        where = f"{first}" if len(records) == 1 else f"{len(records)} records, {first} to {last}"
        stopped = f"stopped after {self.written:,} records, which are replayed"
        if isinstance(error, ProducerFenced):
            return BrokerError(
                f"{stopped}: another `dlq replay` of {self._topic!r} has begun and goes on with the rest"
            )
        if isinstance(error, TimeoutError):
            return BrokerError(
                f"{stopped}: no answer in time from {self._servers} about {where}, which are "
                "replayed all or none. Call it again for the rest: it will know"
            )
        return BrokerError(
            f"{stopped}: {self._servers} refuses {where}: {error!r}. Call it again for the rest, without "
            "what Kafka refuses (--reason, --topic, --partition, --offset)"
        )


async def _raise_first(sent: Iterable[asyncio.Future[Any]]) -> None:
    """Wait for the outcome of all; raise the first that is an error."""
    for outcome in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def plan(connection: KafkaConnection, topic: str, wanted: Wanted, progress: Count = nothing) -> Plan:
    """What `replay` would write now. Writes nothing. Raises `TopicMissing` and `BrokerError`."""
    async with DeadLetterLog(connection, topic) as log:
        return await survey(log, await log.committed(), wanted, progress)


async def replay(
    connection: KafkaConnection,
    topic: str,
    wanted: Wanted,
    progress: Count = nothing,
) -> Plan:
    """Write the selected records again, each once for ever; returns what was written and what was not.

    A record goes to its partition with its key, value and time, the headers that its letter has kept, and two
    that say which letter it was and how often it was replayed. If it is bad again it becomes a letter again,
    which the next replay leaves out, unless told `again`. `progress` is told of the reading, then of the
    writing. Raises `TopicMissing`, and `BrokerError` when Kafka refuses, when nothing comes for a minute (a
    transaction of somebody may be open), or when another replay takes over.
    """
    async with LetterWriter(connection, topic) as writer, DeadLetterLog(connection, topic) as log:
        plan = await survey(log, await log.written(), wanted, progress)
        cases, plan.cases = plan.cases, []
        for batch in batches(cases):
            records = await returned(log, batch)
            found = {record.origin for record in records}
            for case in batch:
                if case.origin not in found:
                    plan.leave(ORIGINAL_GONE, case.origin)
            if records:
                await writer.write(records)
                plan.cases += (case for case in batch if case.origin in found)
            progress(len(plan.cases), len(cases))
    return plan


async def returned(log: DeadLetterLog, batch: Sequence[Case]) -> list[Returned]:
    """The records of a batch as they are written, without those whose original is not there any more."""
    letters = {letter.place: case for case in batch if (letter := case.whole) is not None}
    spans = _spans(log.topic, letters)
    found: dict[Origin, Returned] = {}
    async for record in log.read(spans):
        if (case := letters.get(Place(record.partition, record.offset))) is not None:
            found[case.origin] = _returned(log.topic, case, record)
    for case in batch:
        if case.whole is None and (original := await _original(log, case)) is not None:
            found[case.origin] = _returned(log.topic, case, original)
    return [found[case.origin] for case in batch if case.origin in found]


def _spans(topic: str, places: Iterable[Place]) -> dict[tuple[str, int], Span]:
    """The stretches in which some letters lie."""
    spans: dict[tuple[str, int], Span] = {}
    for partition, offset in places:
        start, stop = spans.get((topic, partition), (offset, offset + 1))
        spans[topic, partition] = Span(min(start, offset), max(stop, offset + 1))
    return spans


async def _original(log: DeadLetterLog, case: Case) -> ConsumerRecord | None:
    """The record that a letter was cut from; None if it is gone, or another one has its place."""
    topic, partition, offset, crc = case.origin
    async for record in log.read({(topic, partition): Span(offset, offset + 1)}):
        key, value = record.key, record.value
        beginning = checksum(key and key[:TRUNCATED_BYTES], value and value[:TRUNCATED_BYTES])
        if beginning == crc and len(value or b"") == case.letters[0].truncated:
            return record
    return None


def _returned(topic: str, case: Case, record: ConsumerRecord) -> Returned:
    """The record as it is written, from its letter or from itself."""
    letter = case.whole or case.letters[0]
    kept = [(name, content) for name, content in record.headers if content is not None and not _ours(name)]
    kept += [
        (REPLAY_OF, b"%s/%d/%d" % (topic.encode(), *letter.place)),
        (REPLAYS, b"%d" % (case.replays + 1)),
    ]
    return Returned(case.origin, record.key, record.value, max(record.timestamp, 0), kept, case.letters)


def _ours(name: str) -> bool:
    return name.startswith((CONNECT, "stream-lstm."))
