"""Reads with read_committed what a service has said, and compares it with what the engine alone says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from stream_lstm.errors import StreamLstmError
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.group_offsets import committed
from stream_lstm.kafka.log_reader import LogReader, Span
from stream_lstm.kafka.records import KafkaRecord, TopicPartition
from stream_lstm.kafka.topics import MODEL_EVENTS, TopicNames
from stream_lstm.models.files import from_safetensors
from stream_lstm.registry.models import ModelStore
from stream_lstm.settings import Settings
from stream_lstm.settings.inputs import pin_of
from stream_lstm.streaming.assembly import connection_of
from stream_lstm.streaming.changes import KINDS, TRAINED, Change, Position
from stream_lstm.streaming.facts import Fact, by_partition, read_facts
from stream_lstm.verification.compare import Comparison, Difference, Place, Verdict
from stream_lstm.verification.messages import COMPARED, Message, difference, message_of
from stream_lstm.verification.oracle import Oracle
from stream_lstm.verification.recount import Recount

_ANSWER_SECONDS: Final = 60.0
"""For one question, or one block of records."""
_BLOCK: Final = 10_000
"""Records that are in memory at once."""

Progress = Callable[[int, int], None]
"""Told how many candle records have been compared, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What is compared, in stream time, epoch ms, both included; and whether states are recounted."""

    from_ms: int | None = None
    to_ms: int | None = None
    recount: bool = False
    """Count the state of every prediction again from the topics: only for candles of our own feeder."""

    def has(self, message: Message) -> bool:
        """Whether a message is to be compared."""
        after = self.from_ms is None or message.at_ms >= self.from_ms
        return after and (self.to_ms is None or message.at_ms <= self.to_ms)


class _Read(KafkaRecord, Protocol):
    """A record that knows its partition."""

    partition: int


class Judgement(NamedTuple):
    """The verdict, and the first difference in words; None if there is none."""

    verdict: Verdict
    first: str | None


async def judge(
    settings: Settings, extent: Extent, progress: Progress = lambda done, total: None
) -> Judgement:
    """Compare all that was said with what the engine says about the same candles.

    With `training.install = barrier` the engine trains by itself, and trainings are compared too; with
    `asap` the models of `model-events` answer from where it says. What lies behind the committed offsets of
    the group may not have been said yet. Raises `BrokerError`, `StoreError`, and `StreamLstmError` if the
    group has committed nothing.
    """
    judging = _Judging(settings, extent, progress)
    await judging.listen()
    await judging.expect()
    return await judging.judgement()


@dataclass(slots=True)
class _Judging:
    settings: Settings
    extent: Extent
    progress: Progress
    comparison: Comparison = field(init=False)
    recount: Recount = field(default_factory=Recount)
    done: int = 0

    def __post_init__(self) -> None:
        self.comparison = Comparison(repeats_allowed=self.settings.delivery == "at_least_once")

    # -- what was said -----------------------------------------------------------------------------

    async def listen(self) -> None:
        """Read everything that was said."""
        if self.extent.recount:
            for topic in await self._inputs():
                async for block in self._records(topic):
                    for record in block:
                        self.recount.candle(record.value or b"")
        for logical in COMPARED:
            async for block in self._records(self._names[logical]):
                for record in block:
                    self._hear(logical, record)

    def _hear(self, logical: str, record: _Read) -> None:
        message = message_of(logical, record.value, record.headers)
        if message is None or not self._is_compared(message):
            return
        place = Place(logical, record.partition, record.offset)
        is_new = self.comparison.said(message, place)
        if not self.extent.recount or not is_new:
            return
        if message.kind != "prediction":
            self.recount.said(message)
        elif (state := self.recount.state(message)) != message.state:
            self.comparison.wrong_state(message, place, state)

    def _is_compared(self, message: Message) -> bool:
        if message.kind in self._given:
            return False  # the oracle is given it
        return self.extent.has(message)

    # -- what ought to have been said --------------------------------------------------------------

    async def expect(self) -> None:
        """Run the engine over every partition of the inputs."""
        reached = await committed(self._connection, self.settings.kafka.group, Deadline(_ANSWER_SECONDS))
        spans: dict[TopicPartition, Span] = {}
        for topic in await self._inputs():
            spans |= await self._spans(topic)
        if not reached.keys() & spans.keys():
            raise StreamLstmError(
                f"the group {self.settings.kafka.group!r} has committed nothing of the inputs: "
                "give the settings (kafka.group, topics.prefix, inputs) of the service that ran"
            )
        changes = await self._changes()
        total = sum(span.stop - span.start for span in spans.values())
        for place, span in spans.items():
            await self._expect_of(place, span, reached.get(place, span.start), changes.get(place, []), total)

    async def _expect_of(
        self,
        place: TopicPartition,
        span: Span,
        reached: int,
        changes: Iterable[Change],
        total: int,
    ) -> None:
        oracle = Oracle(
            self.settings.engine(),
            place,
            span.start,
            pin=pin_of(self.settings.inputs, place[0]),
            close_grace_ms=round(self.settings.closing.close_grace * 1000),
            trains=self._barrier,
            changes=changes,
        )
        for part, required in ((Span(span.start, reached), True), (Span(reached, span.stop), False)):
            async for block in self._blocks(place, part):
                for record in oracle.read(block):
                    message = message_of(record.topic, record.value, record.headers)
                    if message is not None and self._is_compared(message):
                        self.comparison.expect(message, required=required)
                self.done += len(block)
                self.progress(self.done, total)

    async def _changes(self) -> dict[TopicPartition, list[Change]]:
        """What the facts say, by partition; without the models where the oracle makes its own."""
        topic = self._names[MODEL_EVENTS]
        facts = by_partition(await read_facts(self._connection, topic, Deadline(_ANSWER_SECONDS)))
        store = ModelStore(self.settings.store.url)

        def load(fact: Fact) -> Change:
            trained = fact.kind == TRAINED
            model = from_safetensors(store.load(str(fact.body.get("path")))) if trained else None
            return Change(Position(fact.offset, fact.candles), fact.series, fact.kind, model)

        return {
            place: [await asyncio.to_thread(load, fact) for fact in found if fact.kind in self._given]
            for place, found in facts.items()
        }

    # -- the verdict -------------------------------------------------------------------------------

    async def judgement(self) -> Judgement:
        """The verdict, and its first difference in words."""
        verdict = self.comparison.verdict()
        if verdict.first is None:
            return Judgement(verdict, None)
        said = [await self._said_at(place) for place in verdict.first.places]
        return Judgement(verdict, told(verdict.first, said, self._names))

    async def _said_at(self, place: Place) -> Message:
        at = (self._names[place.topic], place.partition)
        async with LogReader(self._connection, Deadline(_ANSWER_SECONDS)) as reader:
            async for record in reader.read({at: Span(place.offset, place.offset + 1)}):
                message = message_of(place.topic, record.value, record.headers)
                assert message is not None
                return message
        raise StreamLstmError(f"{at[0]}-{at[1]} has no offset {place.offset} any more: Kafka has deleted it")

    # -- reading -----------------------------------------------------------------------------------

    @property
    def _connection(self) -> KafkaConnection:
        return connection_of(self.settings)

    @property
    def _names(self) -> TopicNames:
        return TopicNames(self.settings.topics.prefix)

    @property
    def _given(self) -> frozenset[str]:
        """Facts that the oracle is given: it makes its own models where they answer without delay."""
        return KINDS - {TRAINED} if self._barrier else KINDS

    @property
    def _barrier(self) -> bool:
        return self.settings.training.install == "barrier"

    async def _inputs(self) -> list[str]:
        given = self.settings.inputs
        topics = [each.topic for each in given if each.topic is not None]
        patterns = [each.pattern for each in given if each.pattern is not None]
        found = await topic_admin.check(
            self._connection, self._names, topics, patterns, Deadline(_ANSWER_SECONDS)
        )
        return sorted(found)

    async def _spans(self, topic: str) -> dict[TopicPartition, Span]:
        async with LogReader(self._connection, Deadline(_ANSWER_SECONDS)) as reader:
            spans = await reader.spans(await reader.partitions(topic))
        return {(at.topic, at.partition): span for at, span in spans.items()}

    async def _records(self, topic: str) -> AsyncIterator[list[_Read]]:
        for place, span in (await self._spans(topic)).items():
            async for block in self._blocks(place, span):
                yield block

    async def _blocks(self, place: TopicPartition, span: Span) -> AsyncIterator[list[_Read]]:
        """The records of a stretch; nobody waits at the broker while a block is being worked on."""
        for first in range(span.start, span.stop, _BLOCK):
            part = Span(first, min(first + _BLOCK, span.stop))
            async with LogReader(self._connection, Deadline(_ANSWER_SECONDS)) as reader:
                block = [record async for record in reader.read({place: part})]
            yield block


def told(first: Difference, said: Sequence[Message], names: TopicNames) -> str:
    """A difference in words: what, where, and in which field."""
    where = ", ".join(f"{names[at.topic]}-{at.partition} offset {at.offset}" for at in first.places)
    about = first.about or (said[0].key if said else "")
    sides = [message.body for message in ([first.expected] if first.expected else []) + [*said]]
    fields = difference(sides[0], sides[1]) if first.kind == "different" else None
    parts = [f"{first.kind}: {about}", where, first.detail, fields or ""]
    return "; ".join(part for part in parts if part)
