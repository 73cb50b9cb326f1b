"""Which records `stream-lstm dlq replay` writes again, in which order, and what keeps it from others."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from stream_lstm.dead_letters.log import (
    Count,
    DeadLetterLog,
    Letter,
    Origin,
    Replayed,
    entry_of,
)
from stream_lstm.dead_letters.selection import Selection
from stream_lstm.kafka.log_reader import Span
from stream_lstm.terminal.figures import readable

ALREADY: Final = "replayed already"
BAD_AGAIN: Final = "replayed once and bad again"
NOT_AN_INPUT: Final = "not of an input"
NO_PARTITION: Final = "topic or partition gone"
ORIGINAL_GONE: Final = "cut off, original gone"

_EXAMPLES: Final = 3
_BATCH_RECORDS: Final = 500
_BATCH_BYTES: Final = 4 * 1024 * 1024

Places = Mapping[tuple[str, int], Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be replayed."""

    selection: Selection
    is_input: Callable[[str], bool]
    """Whether a topic may be written to: a letter may name any, and whoever writes letters is not us."""
    again: bool = False
    """Also what was replayed before and came back."""
    ends: Mapping[int, int] | None = None
    """Letters from these offsets on, by partition, are not meant: they came after somebody had looked."""


class Case(NamedTuple):
    """A record that is to be written again, and all letters about it."""

    origin: Origin
    letters: tuple[Letter, ...]
    reason: str
    """Of the first letter that is selected."""

    @property
    def whole(self) -> Letter | None:
        """The first letter that has all of the record; None if it must be read where it came from."""
        return next((letter for letter in self.letters if letter.truncated is None), None)

    @property
    def replays(self) -> int:
        """How often the record had been replayed when it was refused."""
        return max(letter.replays for letter in self.letters)

    @property
    def bytes(self) -> int:
        """Size of what is to be written."""
        return max(max(letter.size, letter.truncated or 0) for letter in self.letters)


@dataclass(slots=True)
class Left:
    """Selected records that are not written, for one reason."""

    records: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, origin: Origin) -> None:
        """One more."""
        self.records += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(str(origin))


@dataclass(slots=True)
class Plan:
    """What is written again, or was; and what is not, by what stands in the way."""

    topic: str
    cases: list[Case] = field(default_factory=list)
    left: dict[str, Left] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    """Up to where the log was read, by partition."""

    def leave(self, why: str, origin: Origin) -> None:
        """Leave a record out."""
        self.left.setdefault(why, Left()).add(origin)

    def told(self) -> dict[str, Any]:
        """As JSON for machines."""
        reasons = Counter(case.reason for case in self.cases)
        return {
            "topic": self.topic,
            "records": len(self.cases),
            "letters": sum(len(case.letters) for case in self.cases),
            "into": dict(Counter(case.origin.topic for case in self.cases).most_common()),
            "reasons": {readable(name.encode()): count for name, count in reasons.most_common()},
            "first": min((case.letters[0].timestamp_ms for case in self.cases), default=None),
            "last": max((case.letters[0].timestamp_ms for case in self.cases), default=None),
            "left": {
                why: {"records": left.records, "examples": left.examples} for why, left in self.left.items()
            },
        }


async def survey(log: DeadLetterLog, spans: Places, wanted: Wanted, progress: Count) -> Plan:
    """Read letters and markers and decide. Keeps some 650 bytes for each letter that is selected."""
    plan = Plan(log.topic, ends={partition: span.stop for (_, partition), span in spans.items()})
    ends = wanted.ends or plan.ends
    letters: dict[Origin, list[Letter]] = {}
    replayed: set[Origin] = set()
    async for record in log.read(spans, progress):
        entry = entry_of(record)
        if entry is None or not wanted.selection.covers(entry):
            continue
        if isinstance(entry, Replayed):
            replayed.add(entry.origin)
        elif entry.place.offset < ends.get(entry.place.partition, 0):
            letters.setdefault(entry.origin, []).append(entry)
    cases = [
        Case(origin, tuple(about), chosen[0].reason)
        for origin, about in letters.items()
        if (chosen := [letter for letter in about if wanted.selection.has(letter)])
    ]
    originals = await _originals(log, cases)
    for case in in_order(cases):
        why = ALREADY if case.origin in replayed else _obstacle(log, case, wanted, originals)
        if why is None:
            plan.cases.append(case)
        else:
            plan.leave(why, case.origin)
    return plan


def in_order(cases: Iterable[Case]) -> list[Case]:
    """The records of each input partition in their order there, and else as they lie in the log.

    So a series gets its candles in the order of time, also where the dead letters have several partitions,
    and the log is read from its beginning to its end.
    """
    ranked, rank = [], dict[tuple[str, int], int]()
    for case in sorted(cases):
        source = case.origin[:2]
        rank[source] = max(rank.get(source, 0), case.letters[0].place.offset)
        ranked.append((rank[source], case))
    return [case for _, case in sorted(ranked, key=lambda one: one[0])]


def batches(cases: Iterable[Case]) -> Iterator[list[Case]]:
    """At most 500 records and about 4 MB at a time, in order."""
    batch: list[Case] = []
    size = 0
    for case in cases:
        if batch and (len(batch) == _BATCH_RECORDS or size + case.bytes > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(case)
        size += case.bytes
    if batch:
        yield batch


async def _originals(log: DeadLetterLog, cases: Iterable[Case]) -> Places:
    """What the partitions hold now from which originals are needed."""
    sources = {case.origin[:2] for case in cases if case.whole is None}
    return await log.extents(source for source in sources if source[1] < log.partitions.get(source[0], 0))


def _obstacle(log: DeadLetterLog, case: Case, wanted: Wanted, originals: Places) -> str | None:
    """Why a record cannot be replayed, or is not; None if it is."""
    topic, partition, offset, _ = case.origin
    if not wanted.is_input(topic):
        return NOT_AN_INPUT
    if partition >= log.partitions.get(topic, 0):
        return NO_PARTITION
    if case.replays and not wanted.again:
        return BAD_AGAIN
    if case.whole is not None:
        return None
    start, stop = originals[topic, partition]
    return None if start <= offset < stop else ORIGINAL_GONE
