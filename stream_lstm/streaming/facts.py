"""What is no candle and changes a series: said in `model-events`, applied again in every replay.

A fact holds from a position in the candles on: before the record at `offset`, or after `candles` of the
closed candles of that record.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import TopicPartition

from stream_lstm.candles.series import SeriesKey
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader, Span

log = logging.getLogger(__name__)

_MARK: Final = b'"appliedAt"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One change of a series that is not a candle."""

    kind: str
    """Type of the event: `model.trained`, `model.deleted`, `series.paused`, `series.resumed`, …"""
    series: SeriesKey
    topic: str
    """The candles' topic, as the partition and the offset."""
    partition: int
    offset: int
    candles: int = 0
    """Closed candles of the record at `offset` that come before the fact."""
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same for every repeat."""
        return f"{self.kind}:{self.series}:{self.topic}:{self.partition}:{self.offset}:{self.candles}"


def encode(fact: Fact, at_ms: int) -> bytes:
    """The event that says the fact; `at_ms` is stream time."""
    applied: dict[str, Any] = {"topic": fact.topic, "partition": fact.partition, "offset": fact.offset}
    if fact.candles:
        applied["candles"] = fact.candles
    event = {
        "id": fact.id,
        "type": fact.kind,
        "exchange": fact.series.exchange,
        "symbol": fact.series.symbol,
        "interval": fact.series.interval,
        "at": at_ms,
        "appliedAt": applied,
        "data": fact.body,
    }
    return orjson.dumps(event)


def parse(value: bytes | None) -> Fact | None:
    """The fact that an event says; None for an event that is none.

    Raises `ValueError` for one that claims to be a fact and is not readable.
    """
    if value is None or _MARK not in value:
        return None
    try:
        event = orjson.loads(value)
        applied = event.get("appliedAt")
        if applied is None:
            return None
        return Fact(
            kind=str(event["type"]),
            series=SeriesKey(str(event["exchange"]), str(event["symbol"]), str(event["interval"])),
            topic=str(applied["topic"]),
            partition=int(applied["partition"]),
            offset=int(applied["offset"]),
            candles=int(applied.get("candles", 0)),
            body=dict(event.get("data") or {}),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"an event with appliedAt that is no fact: {error!r}") from error


class FactLog:
    """The facts of a topic, read as far as it is written; each reading goes on where the last one ended."""

    def __init__(
        self, connection: KafkaConnection, topic: str, since: Mapping[int, int] | None = None
    ) -> None:
        """With `since` nothing of a partition is read before its offset; one that it does not name whole."""
        self.topic = topic
        self._since = since or {}
        self._connection = connection
        self._found: list[tuple[int, Fact]] = []
        self._next: dict[TopicPartition, int] = {}

    async def read(self, deadline: Deadline) -> list[Fact]:
        """All facts that are in the log now, newest last. Raises `BrokerError` at the deadline.

        Newest by the time of their records; those of one series are in the order in which they were said.
        Waits for transactions that are open: what is in them may hold for a partition of ours.
        """
        found = []
        async with LogReader(self._connection, deadline) as reader:
            written = await reader.written(await reader.partitions(self.topic))
            spans = {at: Span(self._first(at, span), span.stop) for at, span in written.items()}
            async for record in reader.read(spans):
                try:
                    fact = parse(record.value)
                except ValueError as error:
                    log.warning("%s-%d offset %d: %s", self.topic, record.partition, record.offset, error)
                    continue
                if fact is not None:
                    found.append((record.timestamp, fact))
        self._next |= {at: span.stop for at, span in spans.items()}
        self._found = sorted([*self._found, *found], key=lambda entry: entry[0])
        return [fact for _, fact in self._found]

    def _first(self, at: TopicPartition, written: Span) -> int:
        """Where to go on, or to begin; at the beginning of a topic that was made again."""
        first = self._next.get(at, self._since.get(at.partition, 0))
        return max(written.start, first) if first <= written.stop else written.start


async def read_facts(connection: KafkaConnection, topic: str, deadline: Deadline) -> list[Fact]:
    """`FactLog.read`, once."""
    return await FactLog(connection, topic).read(deadline)


def by_partition(facts: Iterable[Fact]) -> dict[tuple[str, int], list[Fact]]:
    """Facts by the (topic, partition) of the candles, in the order in which a replay meets them."""
    index: dict[tuple[str, int], list[Fact]] = defaultdict(list)
    for fact in facts:
        index[fact.topic, fact.partition].append(fact)
    for entries in index.values():
        entries.sort(key=lambda fact: (fact.offset, fact.candles))
    return dict(index)
