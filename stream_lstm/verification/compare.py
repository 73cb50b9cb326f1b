"""What was said against what ought to have been, message by message, in a few hundred bytes for each.

First everything that was said goes in, partition by partition, then everything that is expected. Of a
message that was said only a digest stays, and where it is: the log keeps the rest.
"""

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple

from stream_lstm.verification.messages import Message

Kind = Literal["lost", "different", "doubled", "disordered", "unexpected", "state"]

_DIGEST: Final = 16


class Place(NamedTuple):
    """Where a message is in the log; `topic` by its logical name."""

    topic: str
    partition: int
    offset: int


class Difference(NamedTuple):
    """One way in which what was said is not what ought to have been."""

    kind: Kind
    at_ms: int
    """Stream time."""
    about: str
    """The key of the message; empty where only its place is known."""
    expected: Message | None
    places: tuple[Place, ...]
    """Where it was said."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a comparison."""

    expected: int
    """Messages that ought to have been said."""
    delivered: int
    """Those of them that were, with the right content or a wrong one."""
    repeats: int
    """Sayings of the same once more, where that is allowed."""
    counts: dict[str, int]
    """Differences by kind."""
    first: Difference | None
    """The earliest in stream time."""

    @property
    def passed(self) -> bool:
        """Whether there is no difference at all."""
        return self.first is None

    @property
    def sentence(self) -> str:
        """The verdict in a line.

        >>> Verdict(expected=2, delivered=2, repeats=1, counts={}, first=None).sentence
        'ALL-RECORDS-DELIVERED 2/2, 0 lost, 0 doubled'
        """
        counts = {"lost": 0, "doubled": 0} | self.counts
        found = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        name = "ALL-RECORDS-DELIVERED" if self.passed else "NOT-AS-EXPECTED"
        return f"{name} {self.delivered}/{self.expected}, {found}"

    def told(self) -> dict[str, Any]:
        """The verdict for machines, without the first difference."""
        return {
            "sentence": self.sentence,
            "expected": self.expected,
            "delivered": self.delivered,
            "repeats": self.repeats,
            "differences": self.counts,
        }


class _Saying(NamedTuple):
    content: bytes
    at_ms: int
    place: Place


@dataclass(slots=True)
class Comparison:
    """Takes all that was said, then all that is expected; `verdict` is what came of it."""

    repeats_allowed: bool = True
    """At least once: the same message may come again, byte for byte. Else that is a double."""
    _said: dict[bytes, _Saying] = field(default_factory=dict)
    _newest: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    _expected: set[bytes] = field(default_factory=set)
    _counts: Counter[Kind] = field(default_factory=Counter)
    _earliest: Difference | None = None
    _repeats: int = 0
    _lost: int = 0

    def said(self, message: Message, place: Place) -> bool:
        """Take a message from the log; false if it was said before."""
        key, saying = _digest(message.key), _Saying(_digest(message.content), message.at_ms, place)
        before = self._said.get(key)
        if before is not None:
            self._again(message, before, saying)
            return False
        self._said[key] = saying
        at = message.at_ms, message.revision
        newest = self._newest.setdefault(message.track, at)
        if at < newest:
            late = f"after one of {newest[0]}"
            self._note(Difference("disordered", message.at_ms, message.key, None, (place,), late))
        self._newest[message.track] = max(at, newest)
        return True

    def expect(self, message: Message, *, required: bool = True) -> None:
        """Say what ought to have been said; what is not `required` may not have been said yet."""
        key = _digest(message.key)
        saying = self._said.get(key)
        if saying is None and not required:
            return
        self._expected.add(key)
        if saying is None:
            self._lost += 1
            self._note(Difference("lost", message.at_ms, message.key, message, ()))
        elif saying.content != _digest(message.content):
            self._note(Difference("different", message.at_ms, message.key, message, (saying.place,)))

    def wrong_state(self, message: Message, place: Place, recounted: str) -> None:
        """Take note of a state that is not what was counted from the topics."""
        detail = f"the topics say {recounted}"
        self._note(Difference("state", message.at_ms, message.key, None, (place,), detail))

    def verdict(self) -> Verdict:
        """What came of it, when everything is in."""
        for key, saying in self._said.items():
            if key not in self._expected:
                self._note(Difference("unexpected", saying.at_ms, "", None, (saying.place,)))
        return Verdict(
            expected=len(self._expected),
            delivered=len(self._expected) - self._lost,
            repeats=self._repeats,
            counts={str(kind): count for kind, count in self._counts.items()},
            first=self._earliest,
        )

    def _again(self, message: Message, before: _Saying, saying: _Saying) -> None:
        places = (before.place, saying.place)
        if saying.content != before.content:
            self._note(Difference("different", message.at_ms, message.key, None, places, "from its repeat"))
        elif self.repeats_allowed:
            self._repeats += 1
        else:
            self._note(Difference("doubled", message.at_ms, message.key, None, places))

    def _note(self, found: Difference) -> None:
        self._counts[found.kind] += 1
        if self._earliest is None or found.at_ms < self._earliest.at_ms:
            self._earliest = found


def _digest(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return blake2b(data, digest_size=_DIGEST).digest()
