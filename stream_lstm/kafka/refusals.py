"""What Kafka refuses for want of a right: which operation, on which resource, as far as it tells."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

_BACK_OFF: Final = (0.5, 10.0)  # seconds: first and longest wait after a refusal


def cause(error: BaseException, *, on_topics: str = "Read", topics: Iterable[str] = ()) -> str:
    """What an error of the client means, for a message.

    `on_topics` is the operation that was asked for, which a topic's error does not name; `topics` those that
    it was asked for on, where the error does not name them either.

    >>> cause(TopicAuthorizationFailedError("scores"), on_topics="Write")
    "not allowed to this user: Write on the topic 'scores'"
    """
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ClusterAuthorizationFailedError):  # Write on any topic would do, and there is none
        return "not allowed to this user: IdempotentWrite on the cluster, or Write on a topic"
    right = {
        GroupAuthorizationFailedError: "Read on the group",
        TopicAuthorizationFailedError: f"{on_topics} on the topic",
        TransactionalIdAuthorizationFailed: "Write on the transactional id",
    }.get(type(error))
    if right is None:
        return repr(error)
    assert isinstance(error, KafkaError)
    return f"not allowed to this user: {' '.join([right, *_named(error, topics)])}"


def _named(error: KafkaError, topics: Iterable[str]) -> list[str]:
    """The resources that an error carries: one, or a set of them, or a partition."""
    found: set[str] = set()
    for given in error.args:
        if isinstance(given, TopicPartition):
            found.add(given.topic)
        else:
            found |= {given} if isinstance(given, str) else set(given)
    names = sorted(found or set(topics))
    return [", ".join(map(repr, names))] if names else []


class Patience:
    """How long what was refused is not asked for again: longer after each refusal.

    >>> now = 0.0
    >>> patience = Patience(clock=lambda: now)
    >>> patience.refused("candles"), patience.waits("candles")
    (0.5, True)
    >>> now = 0.5
    >>> patience.over(), patience.waits("candles"), patience.refused("candles")
    (['candles'], False, 1.0)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._next: dict[str, float] = {}

    def refused(self, what: str) -> float:
        """Note a refusal; the seconds until it is to be asked for again."""
        first, longest = _BACK_OFF
        wait = self._next.get(what, first)
        self._next[what] = min(2 * wait, longest)
        self._until[what] = self._clock() + wait
        return wait

    def waits(self, what: str) -> bool:
        """Whether it is too early to ask again."""
        return what in self._until

    def over(self) -> list[str]:
        """What is to be asked for again now; each is named once after each refusal."""
        now = self._clock()
        over = [what for what, until in self._until.items() if until <= now]
        for what in over:
            del self._until[what]
        return over

    def granted(self, what: str) -> None:
        """It was not refused any more."""
        self._until.pop(what, None)
        self._next.pop(what, None)
