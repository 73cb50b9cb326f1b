"""What two sayings of one message must have in common: an identity, a place in stream time, a content."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import orjson

from stream_lstm.errors import StreamLstmError
from stream_lstm.kafka.records import Header
from stream_lstm.kafka.topics import MODEL_EVENTS, PREDICTIONS, SCORES
from stream_lstm.streaming.encoding import STATE_HEADER

COMPARED: Final = (MODEL_EVENTS, SCORES, PREDICTIONS)
"""Logical names of the topics whose messages rest on candles, in the order in which they are read."""


class Message(NamedTuple):
    """One message without what may differ: the wall clock, durations and the name of the worker."""

    kind: str
    """`prediction`, `score`, or the type of an event."""
    series: str
    """`exchange:symbol:interval`."""
    horizon: str
    """Empty in an event."""
    id: str
    revision: int
    at_ms: int
    """Stream time of the candle that caused it."""
    body: dict[str, Any]

    @property
    def key(self) -> str:
        """The same for every repeat, and for nothing else."""
        return f"{self.kind} {self.id} revision {self.revision}"

    @property
    def track(self) -> tuple[str, str, str]:
        """Messages of one track are read in the order of their times."""
        return self.kind, self.series, self.horizon

    @property
    def state(self) -> str:
        """What the state header of a prediction says; empty in all else."""
        return str(self.body.get(STATE_HEADER, ""))

    @property
    def content(self) -> bytes:
        """To the byte what must be the same."""
        return orjson.dumps(self.body)


def message_of(topic: str, value: bytes | None, headers: Iterable[Header] = ()) -> Message | None:
    """A message of one of the compared topics, by its logical name; None if it rests on no candle.

    Raises `StreamLstmError` for what is no message of ours.
    """
    try:
        body = orjson.loads(value or b"")
        if topic == MODEL_EVENTS:
            return _event(body)
        return _forecast(topic, body, headers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StreamLstmError(f"{topic} has a message that is none of ours: {error!r}") from error


def _forecast(topic: str, body: dict[str, Any], headers: Iterable[Header]) -> Message:
    if topic == PREDICTIONS:
        kind, at_ms = "prediction", body["asOf"]
        del body["generatedAt"]
        body[STATE_HEADER] = dict(headers)[STATE_HEADER].decode()
    else:
        kind, at_ms = "score", body["target"]
    return Message(kind, _series(body), body["horizon"], body["id"], body["revision"], at_ms, body)


def _event(body: dict[str, Any]) -> Message | None:
    if "workerId" in body:  # of now, not of a candle
        return None
    body["data"].pop("trainingDuration", None)
    return Message(body["type"], _series(body), "", body["id"], 0, body["at"], body)


def _series(body: dict[str, Any]) -> str:
    return f"{body['exchange']}:{body['symbol']}:{body['interval']}"


def difference(expected: Any, said: Any, path: str = "") -> str | None:
    """The first field in which two bodies differ, with both values; None if there is none.

    >>> difference({"a": 1, "b": {"c": [1, 2]}}, {"a": 1, "b": {"c": [1, 3]}})
    'b.c[1]: expected 2, said 3'
    """
    if isinstance(expected, dict) and isinstance(said, dict):
        names = [*expected, *(name for name in said if name not in expected)]
        parts = [(_joined(path, name), expected.get(name, ...), said.get(name, ...)) for name in names]
    elif isinstance(expected, list) and isinstance(said, list) and len(expected) == len(said):
        pairs = zip(expected, said, strict=True)
        parts = [(f"{path}[{at}]", one, other) for at, (one, other) in enumerate(pairs)]
    else:
        same = type(expected) is type(said) and expected == said
        return None if same else f"{path}: expected {_told(expected)}, said {_told(said)}"
    return next((found for name, one, other in parts if (found := difference(one, other, name))), None)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _told(value: Any) -> str:
    return "nothing" if value is ... else orjson.dumps(value).decode()
