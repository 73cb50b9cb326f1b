"""The topics: their names, how they are made, and the one expression that says which of them we read."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stream_lstm.errors import SettingsError

CANDLES: Final = "candles"
PREDICTIONS: Final = "predictions"
SCORES: Final = "scores"
MODEL_EVENTS: Final = "model-events"
CONTROL: Final = "control"
DEAD_LETTERS: Final = "candles.dlq"
PRODUCED: Final = (PREDICTIONS, SCORES, MODEL_EVENTS, DEAD_LETTERS)
"""Logical names of what a worker writes."""

DAY_MS: Final = 86_400_000
FOR_EVER: Final = -1
"""A retention that deletes nothing."""

_LEGAL: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The real names of our topics. Names of inputs are whole names: the prefix does not apply to them.

    >>> TopicNames("eu.")["scores"]
    'eu.scores'
    """

    prefix: str = ""

    def __post_init__(self) -> None:
        _check_legal(self[MODEL_EVENTS], f"topics.prefix = {self.prefix!r}")

    def __getitem__(self, logical: str) -> str:
        """The real name of a logical one."""
        return self.prefix + logical

    @property
    def control(self) -> str:
        """Where the commands come from."""
        return self[CONTROL]

    @property
    def produced(self) -> dict[str, str]:
        """Real names by logical ones, of everything that a worker writes."""
        return {logical: self[logical] for logical in PRODUCED}


def subscription(names: TopicNames, topics: Iterable[str], patterns: Iterable[str] = ()) -> str:
    """The anchored expression that matches the inputs and `control`, and nothing that we produce.

    `topics` are whole names, `patterns` expressions that must match a whole name. Raises `SettingsError`,
    naming the input, if there is none, one is no name or expression, or one would read what we write.

    >>> print(subscription(TopicNames("eu."), ["candles"], ["binance-.*"]))
    ^(?:candles|binance-.*|eu\\.control)$
    """
    choices = [_topic_choice(names, topic) for topic in topics]
    choices += [_pattern_choice(names, pattern) for pattern in patterns]
    if not choices:
        raise SettingsError("there is no input: name a topic or a pattern in `inputs`")
    return whole([*choices, re.escape(names.control)])


def whole(choices: Iterable[str]) -> str:
    """An expression that matches only a whole name, also for `re.match`, which the Kafka client uses."""
    return f"^(?:{'|'.join(choices)})$"


def _topic_choice(names: TopicNames, topic: str) -> str:
    what = f"the input topic {topic!r}"
    _check_legal(topic, what)
    _check_foreign(names, re.escape(topic), what)
    return re.escape(topic)


def _pattern_choice(names: TopicNames, pattern: str) -> str:
    what = f"the input pattern {pattern!r}"
    try:
        re.compile(pattern)  # on its own, so that it cannot close our bracket
        _check_foreign(names, pattern, what)
    except re.error as error:
        raise SettingsError(f"{what} is no regular expression: {error}") from error
    return pattern


def _check_foreign(names: TopicNames, choice: str, what: str) -> None:
    for ours in (*names.produced.values(), names.control):
        if re.match(whole([choice]), ours):
            raise SettingsError(
                f"{what} would read {ours!r}, which is not an input but ours: "
                "make it narrower, or set topics.prefix"
            )


def _check_legal(name: str, what: str) -> None:
    if not _LEGAL.fullmatch(name) or name in {".", ".."}:
        raise SettingsError(f"{what} is no name for Kafka: 1 to 249 of a-z A-Z 0-9 . _ - are allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """A topic as it is to be made. All are `delete` and not `compact`: a key holds many messages."""

    name: str
    partitions: int
    retention_ms: int
    """By the records' own timestamps; `FOR_EVER` for no end."""

    def configs(self, replication: int) -> dict[str, str]:
        """Topic settings. A record keeps the time that its producer gave it: retention counts from there."""
        # Segments end by the records' times too: a replay of years would make one for every seven days.
        whole = {"segment.ms": str(100 * 365 * DAY_MS)} if self.retention_ms == FOR_EVER else {}
        return whole | {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_ms),
            "message.timestamp.type": "CreateTime",
            "min.insync.replicas": "2" if replication >= 3 else "1",
        }


def retention_for(candles: int, step_ms: int) -> int:
    """Retention in ms, whole days, that keeps so many candles: a tenth more, for gaps and for a late restart.

    >>> retention_for(8_760, 3_600_000) // DAY_MS, retention_for(2_000, 60_000) // DAY_MS
    (402, 2)
    """
    return -(-candles * step_ms * 11 // (10 * DAY_MS)) * DAY_MS


def specs(
    names: TopicNames,
    inputs: Sequence[str],
    *,
    partitions: int = 6,
    candle_retention_ms: int = 400 * DAY_MS,
    output_retention_ms: int = 90 * DAY_MS,
) -> list[TopicSpec]:
    """All topics of an application: its `inputs`, by their whole names, and ours.

    Candles must be kept for as long as history is to be rebuilt from them, `model-events` at least as long:
    together they are the state. It has one partition, and so one order.
    """
    kept_both = (candle_retention_ms, output_retention_ms)
    facts_retention_ms = FOR_EVER if FOR_EVER in kept_both else max(kept_both)
    kept = {
        PREDICTIONS: (partitions, output_retention_ms),
        SCORES: (partitions, output_retention_ms),
        MODEL_EVENTS: (1, facts_retention_ms),
        CONTROL: (1, 7 * DAY_MS),
        DEAD_LETTERS: (1, output_retention_ms),
    }
    return [
        *(TopicSpec(name=name, partitions=partitions, retention_ms=candle_retention_ms) for name in inputs),
        *(
            TopicSpec(name=names[logical], partitions=count, retention_ms=retention)
            for logical, (count, retention) in kept.items()
        ),
    ]


def retention_warning(topic: str, retention_ms: int, oldest_ms: int, now_ms: int) -> str | None:
    """What happens to records of `oldest_ms` in a topic with this retention; None if they stay.

    Retention goes by the records' timestamps: a replay of old candles is deleted within minutes.

    >>> retention_warning("candles", FOR_EVER, 0, 10**12) is None
    True
    """
    if retention_ms == FOR_EVER or oldest_ms >= now_ms - retention_ms:
        return None
    days, kept = (now_ms - oldest_ms) / DAY_MS, retention_ms / DAY_MS
    return (
        f"{topic} keeps records for {kept:.0f} days by their timestamps, and these go back {days:.0f}: Kafka "
        "will soon delete them. Set its retention.ms to -1 before you write them"
    )


def replay_id(topic: str) -> str:
    """The transactional id of a replay of a dead-letter topic: one at a time, whatever its group.

    Those of workers, `GROUP/TOPIC/PARTITION`, have another slash.
    """
    return f"{topic}/replay"
