"""JSON Schema of every message, for producers and readers in other languages."""

from typing import Any, Final

from stream_lstm.contracts import reply
from stream_lstm.contracts.candle import Candle
from stream_lstm.contracts.command import Command
from stream_lstm.contracts.event import DATA, Event
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.reply import Reply
from stream_lstm.contracts.score import Score
from stream_lstm.contracts.wire import Message

VERSION: Final = 1
"""Rises when a field goes or changes its meaning; new fields are no new version."""

_MESSAGES: Final[dict[str, type[Message]]] = {
    "candle": Candle,
    "prediction": Prediction,
    "score": Score,
    "event": Event,
    **{f"event.{kind}": data for kind, data in DATA.items()},
    "command": Command,
    "reply": Reply,
    **{f"reply.{command}": data for command, data in reply.DATA.items()},
}


def schemas() -> dict[str, dict[str, Any]]:
    """Schema by name: messages, and `data` of events and replies as `event.<type>` and `reply.<command>`.

    >>> schemas()["prediction"]["$id"]
    'urn:stream-lstm:prediction:1'
    """
    return {name: _schema(name, message) for name, message in _MESSAGES.items()}


def _schema(name: str, message: type[Message]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:stream-lstm:{name}:{VERSION}",
        **message.model_json_schema(by_alias=True),
    }
