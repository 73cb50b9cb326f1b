"""Which facts a replay needs: those after its start, and those before that decide how a series stands."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from stream_lstm.candles.series import SeriesKey
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.registry.models import path_of
from stream_lstm.streaming.changes import DELETED, KINDS, PAUSED, RESUMED, RETRAIN, TRAINED, Position
from stream_lstm.streaming.facts import Fact, FactLog, by_partition

_LONG_AGO_SECONDS: Final = 600.0


class ReplayFacts:
    """The facts for partitions that are restored together: read again for one that was opened since."""

    def __init__(self, connection: KafkaConnection, topic: str, timeout_s: float) -> None:
        self._connection = connection
        self._topic = topic
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._log: FactLog | None = None
        self._since: dict[int, int] = {}
        self._read_at = -inf
        self._known: dict[TopicPartition, list[Fact]] = {}

    async def of(
        self, place: TopicPartition, opened_at: float, since: Mapping[str, int] | None
    ) -> list[Fact]:
        """The facts of a partition, by position: all that were said before it was opened.

        `opened_at` by `time.monotonic`: whoever had it until then may have said some. What was said before
        `since`, by partition of the topic, may be missing. Raises `BrokerError`.
        """
        async with self._turn:
            wanted = {int(at): offset for at, offset in (since or {}).items()}
            if self._log is None or not _begins_before(self._since, wanted):
                self._since = wanted and await self._a_little_before(wanted)
                self._log = FactLog(self._connection, self._topic, self._since)
                self._read_at = -inf
            if self._read_at <= opened_at:
                began = time.monotonic()
                self._known = by_partition(await self._log.read(Deadline(self._timeout_s)))
                self._read_at = began
        return self._known.get(place, [])

    async def _a_little_before(self, since: Mapping[int, int]) -> dict[int, int]:
        """So much earlier that most checkpoints fit, and the effects of every command that still waits."""
        moment = int((time.time() - _LONG_AGO_SECONDS) * 1000)
        async with LogReader(self._connection, Deadline(self._timeout_s)) as reader:
            found = {at: await reader.offset_at((self._topic, at), moment) for at in since}
        earlier = {at: offset for at, offset in found.items() if offset is not None}
        return {at: min(offset, earlier.get(at, offset)) for at, offset in since.items()}


def _begins_before(since: Mapping[int, int], wanted: Mapping[int, int]) -> bool:
    """Whether facts read from `since` on hold those of `wanted`; a partition not named is read whole."""
    return all(since[at] <= wanted.get(at, 0) for at in since)


def models_of(
    place: TopicPartition, answering: Mapping[SeriesKey, str], applied: Iterable[Fact]
) -> list[Fact]:
    """The models of a checkpoint, as facts, but for those that are deleted since."""
    deleted = {fact.series for fact in applied if fact.kind == DELETED}
    return [
        Fact(
            kind=TRAINED,
            series=series,
            topic=place[0],
            partition=place[1],
            offset=0,
            body={"path": path_of(str(series), model_id)},
        )
        for series, model_id in answering.items()
        if series not in deleted
    ]


def needed(facts: Iterable[Fact], seek: Position, answering: Mapping[SeriesKey, str]) -> list[Fact]:
    """The facts that a replay from `seek` applies, where models of these ids answer already.

    Of what comes before, whatever the checkpoint holds of it already: only what decides how a series stands
    at `seek`. That may be applied twice and changes nothing then.
    """
    before: dict[SeriesKey, _Standing] = {}
    after = []
    for fact in facts:
        if fact.kind not in KINDS:
            continue
        if Position(fact.offset, fact.candles) > seek:
            after.append(fact)
        else:
            standing = before.setdefault(fact.series, _Standing(answering.get(fact.series)))
            standing.note(fact)
    return [*(fact for one in before.values() for fact in one.decisive()), *after]


@dataclass(slots=True)
class _Standing:
    """What the facts before a position leave of a series there."""

    answering: str | None
    """Id of the model that answers in the checkpoint."""
    models: list[Fact] = field(default_factory=list)
    """What happened to the model since that one; without one the last word."""
    wish: Fact | None = None
    pause: Fact | None = None

    def note(self, fact: Fact) -> None:
        """Take the next fact of the series."""
        if fact.kind in (PAUSED, RESUMED):
            self.pause = fact
        elif fact.kind == RETRAIN:
            self.wish = fact
        elif fact.kind == DELETED:
            # What the checkpoint knows no model of, it knows to be deleted.
            self.models = [fact] if self.answering is not None else []
        else:
            self.wish = None
            if self.answering is None:
                self.models = [fact]
            elif fact.body.get("modelId") == self.answering:
                self.models = []
            else:
                self.models = [*self.models, fact]

    def decisive(self) -> list[Fact]:
        """Those that must be applied, in an order that leaves the same as theirs."""
        return [*self.models, *(fact for fact in (self.wish, self.pause) if fact is not None)]
