"""`stream-lstm dlq show`: how many dead letters of which reason there are, and the newest of each."""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import ConsumerRecord

from stream_lstm.dead_letters.letter import CONNECT
from stream_lstm.dead_letters.log import Count, DeadLetterLog, Letter, Place, Replayed, entry_of
from stream_lstm.dead_letters.selection import Selection
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.terminal.figures import readable

_VALUE_BYTES: Final = 1_000
"""Of the value, in a sample."""


class _Sample(NamedTuple):
    """A letter with the beginning of its bytes; the newest is the greatest."""

    timestamp_ms: int
    place: Place
    letter: Letter
    message: bytes
    key: bytes | None
    value: bytes | None
    value_bytes: int

    def told(self, replayed: bool) -> dict[str, Any]:
        letter, cut = self.letter, len(self.value or b"") < self.value_bytes
        return {
            "timestamp": self.timestamp_ms,
            "topic": letter.origin.topic,
            "partition": letter.origin.partition,
            "offset": letter.origin.offset,
            "letter": {"partition": self.place.partition, "offset": self.place.offset},
            "message": readable(self.message),
            "key": None if self.key is None else readable(self.key),
            "value": None if self.value is None else readable(self.value),
            "cut": cut,
            "bytes": self.value_bytes if letter.truncated is None else letter.truncated,
            "truncated": letter.truncated is not None,
            "replays": letter.replays,
            "replayed": replayed,
        }


@dataclass(slots=True)
class _Reason:
    """What was counted of one reason."""

    letters: int = 0
    replayed: int = 0
    bad_again: int = 0
    first_ms: int = 0
    last_ms: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    newest: list[_Sample] = field(default_factory=list)  # a heap: the oldest of them first

    def count(self, letter: Letter) -> None:
        time_ms = letter.timestamp_ms
        self.first_ms = min(self.first_ms, time_ms) if self.letters else time_ms
        self.last_ms = max(self.last_ms, time_ms) if self.letters else time_ms
        self.letters += 1
        self.bad_again += letter.replays > 0
        self.sources[f"{letter.origin.topic}-{letter.origin.partition}"] += 1


class Overview:
    """Counts by reason and the newest letters of each, in memory that does not grow with the log.

    What was replayed is counted by the markers that `dlq replay` has left, each of which names its letter.
    """

    def __init__(self, topic: str, selection: Selection, samples: int = 1) -> None:
        self.topic = topic
        self.foreign = 0
        """Records that are neither letters nor markers of ours."""
        self._selection = selection
        self._samples = samples
        self._reasons: dict[str, _Reason] = {}
        self._replayed: set[Place] = set()  # of those that were samples when their marker came

    def add(self, record: ConsumerRecord) -> None:
        """Take a record of the dead-letter topic, each partition's in order."""
        entry = entry_of(record)
        if entry is None:
            self.foreign += 1
        elif self._selection.has(entry):
            if isinstance(entry, Replayed):
                self._mark(entry)
            else:
                reason = self._reasons.setdefault(entry.reason, _Reason())
                reason.count(entry)
                self._keep(reason.newest, entry, record)

    def told(self) -> dict[str, Any]:
        """All of it as JSON for machines; the most frequent reason first."""
        ordered = sorted(self._reasons.items(), key=lambda one: (-one[1].letters, one[0]))
        ordered = [(name, reason) for name, reason in ordered if reason.letters]
        return {
            "topic": self.topic,
            "letters": sum(reason.letters for _, reason in ordered),
            "replayed": sum(reason.replayed for _, reason in ordered),
            "foreign": self.foreign,
            "reasons": [self._told(readable(name.encode()), reason) for name, reason in ordered],
        }

    def _told(self, name: str, reason: _Reason) -> dict[str, Any]:
        newest = sorted(reason.newest, reverse=True)
        return {
            "reason": name,
            "letters": reason.letters,
            "replayed": min(reason.replayed, reason.letters),
            "badAgain": reason.bad_again,
            "first": reason.first_ms,
            "last": reason.last_ms,
            "sources": dict(reason.sources.most_common()),
            "samples": [sample.told(sample.place in self._replayed) for sample in newest],
        }

    def _mark(self, marker: Replayed) -> None:
        reason = self._reasons.setdefault(marker.reason, _Reason())
        reason.replayed += 1
        if any(sample.place == marker.letter for sample in reason.newest):
            self._replayed.add(marker.letter)

    def _keep(self, newest: list[_Sample], letter: Letter, record: ConsumerRecord) -> None:
        if not self._samples:
            return
        full = len(newest) == self._samples
        if full and (letter.timestamp_ms, letter.place) < newest[0][:2]:
            return
        sample = _Sample(
            letter.timestamp_ms,
            letter.place,
            letter,
            dict(record.headers).get(f"{CONNECT}exception.message") or b"",
            record.key and record.key[:_VALUE_BYTES],
            record.value and record.value[:_VALUE_BYTES],
            len(record.value or b""),
        )
        (heapq.heappushpop if full else heapq.heappush)(newest, sample)


async def overview(
    connection: KafkaConnection,
    topic: str,
    selection: Selection,
    samples: int = 1,
    progress: Count = lambda done, total: None,
) -> Overview:
    """Read the committed letters that there are now. Raises `TopicMissing` and `BrokerError`."""
    found = Overview(topic, selection, samples)
    async with DeadLetterLog(connection, topic) as log:
        async for record in log.read(await log.committed(selection.since_ms), progress):
            found.add(record)
    return found
