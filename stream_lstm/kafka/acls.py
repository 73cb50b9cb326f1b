"""What each of our programs must be allowed in Kafka: the one list that commands, messages and tests share.

`Describe` comes with Read and with Write. An idempotent producer needs no right of its own since Kafka 3.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from stream_lstm.kafka.topics import (
    CONTROL,
    DEAD_LETTERS,
    MODEL_EVENTS,
    PREDICTIONS,
    PRODUCED,
    SCORES,
    TopicNames,
    replay_id,
)

Operation: TypeAlias = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs"]
Resource: TypeAlias = Literal["topic", "group", "transactional-id"]


class Acl(NamedTuple):
    """One right: an operation on a resource of that name, or on all whose names begin so."""

    operation: Operation
    resource: Resource
    name: str
    prefixed: bool = False

    def __str__(self) -> str:
        """As messages name it.

        >>> print(Acl("Write", "transactional-id", "bots/", prefixed=True))
        Write on the transactional ids that begin with 'bots/'
        """
        kind = self.resource.replace("-", " ")
        return f"{self.operation} on the {kind}{'s that begin with' if self.prefixed else ''} {self.name!r}"

    def command(self, servers: str, principal: str) -> str:
        """The command of Kafka's own tool that allows it.

        >>> print(Acl("Read", "topic", "in").command("b:9092", "User:w"))
        kafka-acls.sh --bootstrap-server b:9092 --add --allow-principal User:w --operation Read --topic in
        """
        words = ["kafka-acls.sh", "--bootstrap-server", servers, "--add", "--allow-principal", principal]
        words += ["--operation", self.operation, f"--{self.resource}", self.name]
        return shlex.join([*words, *(["--resource-pattern-type", "prefixed"] if self.prefixed else [])])


class Installation(NamedTuple):
    """What the names of the resources come from: the settings of a service."""

    names: TopicNames
    topics: Sequence[str]
    """Inputs by their whole names."""
    patterns: Sequence[str]
    """Inputs by expressions."""
    group: str
    exactly_once: bool = False


def worker(at: Installation) -> list[Acl]:
    """`run`."""
    needed = [*worker_topics(at), Acl("Read", "group", at.group)]
    if at.exactly_once:
        needed.append(Acl("Write", "transactional-id", f"{at.group}/", prefixed=True))
    return needed


def worker_topics(at: Installation) -> list[Acl]:
    """What a worker needs of topics."""
    names = at.names
    return [
        *_inputs(at, "Read"),
        Acl("Read", "topic", names[CONTROL]),
        Acl("Read", "topic", names[MODEL_EVENTS]),
        *(Acl("Write", "topic", names[logical]) for logical in PRODUCED),
    ]


def commands(at: Installation) -> list[Acl]:
    """`models`, `describe`, `pause`, `resume`, and `ModelAdmin`."""
    return [Acl("Write", "topic", at.names[CONTROL]), Acl("Read", "topic", at.names[MODEL_EVENTS])]


def gateway(at: Installation) -> list[Acl]:
    """`gateway`: what it answers by commands, and what its page shows."""
    shown = (PREDICTIONS, SCORES, DEAD_LETTERS)
    return [*commands(at), *_inputs(at, "Read"), *(Acl("Read", "topic", at.names[name]) for name in shown)]


def predictions(at: Installation) -> list[Acl]:
    """`PredictionStream`, and `watch` without a terminal."""
    return [Acl("Read", "topic", at.names[PREDICTIONS])]


def watch(at: Installation) -> list[Acl]:
    """`watch`."""
    return [Acl("Read", "topic", at.names[logical]) for logical in PRODUCED]


def compare(at: Installation) -> list[Acl]:
    """`compare`."""
    return [*_inputs(at, "Read"), Acl("Read", "topic", at.names[CONTROL]), *watch(at)]


def dlq_show(at: Installation) -> list[Acl]:
    """`dlq show`."""
    return [Acl("Read", "topic", at.names[DEAD_LETTERS])]


def dlq_replay(at: Installation) -> list[Acl]:
    """`dlq replay`; Read on the inputs is for the originals of letters that were cut off."""
    letters = at.names[DEAD_LETTERS]
    return [
        Acl("Read", "topic", letters),
        Acl("Write", "topic", letters),
        *_inputs(at, "Write"),
        *_inputs(at, "Read"),
        Acl("Write", "transactional-id", replay_id(letters)),
    ]


def replay(at: Installation) -> list[Acl]:
    """`replay`, which asks how long its topic keeps what it writes."""
    operations: tuple[Operation, ...] = ("Read", "Write", "DescribeConfigs")
    return [acl for operation in operations for acl in _inputs(at, operation)]


def topics_create(at: Installation) -> list[Acl]:
    """`topics create`; Create does not bring Describe."""
    topics = [*at.topics, at.names[CONTROL], *at.names.produced.values()]
    operations: tuple[Operation, ...] = ("Create", "Describe")
    return [Acl(operation, "topic", topic) for topic in topics for operation in operations]


PROGRAMS: Final[dict[str, Callable[[Installation], list[Acl]]]] = {
    "worker": worker,
    "gateway": gateway,
    "commands": commands,
    "predictions": predictions,
    "watch": watch,
    "compare": compare,
    "dlq-show": dlq_show,
    "dlq-replay": dlq_replay,
    "replay": replay,
    "topics-create": topics_create,
}
"""What can be asked for, by name."""


def _inputs(at: Installation, operation: Operation) -> Iterable[Acl]:
    yield from (Acl(operation, "topic", topic) for topic in at.topics)
    for pattern in at.patterns:
        yield _beginning(pattern, operation)


def _beginning(pattern: str, operation: Operation) -> Acl:
    """The right on all topics that may match an expression: Kafka knows only how names begin.

    >>> _beginning(r"binance\\.spot-.*", "Read").name, _beginning("a|b", "Read").name
    ('binance.spot-', '*')
    """
    found = re.match(r"(?:[A-Za-z0-9_-]|\\.)*", pattern)
    plain = found[0] if found else ""
    rest = pattern[len(plain) :]
    if rest[:1] in ("*", "?", "{"):  # the last sign may not be there
        plain = re.sub(r"(?:\\.|.)$", "", plain)
    begins = re.sub(r"\\(.)", r"\1", plain)
    outside = re.sub(r"\[[^]]*\]|\([^()]*\)", "", rest)  # a choice within a group leaves the beginning alone
    if "|" in outside or not begins or re.search(r"\\[A-Za-z0-9]", plain):
        return Acl(operation, "topic", "*")
    return Acl(operation, "topic", begins, prefixed=bool(rest))
