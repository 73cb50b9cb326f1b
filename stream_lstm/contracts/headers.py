"""JSON Schema of the records' headers. Kafka's headers are bytes; these are what they say as UTF-8."""

from typing import Any, Final

Schema = dict[str, Any]


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _object(description: str, required: dict[str, Schema], optional: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "description": description,
        "required": list(required),
        "properties": required | optional,
    }


_NUMBER: Final = r"^[0-9]+$"
_TRACE: Final = {
    "traceparent": _text("W3C trace context of the record that caused this one, passed on."),
    "tracestate": _text("Likewise."),
}

_CLOUD_EVENT: Final = _object(
    "CloudEvents 1.0 in Kafka's binary mode.",
    {
        "content-type": {"const": "application/json"},
        "ce_specversion": {"const": "1.0"},
        "ce_id": _text("Unique in its source; a repeat has the same. A prediction's ends in its revision."),
        "ce_source": _text("application/worker.", examples=["stream-lstm/worker-0"]),
        "ce_type": _text("`stream-lstm.` and what it is.", pattern=r"^stream-lstm\."),
        "ce_subject": _text("The record's key: symbol, command id or worker.", examples=["BTCUSDT"]),
        "ce_time": _text("RFC 3339, UTC, milliseconds.", format="date-time"),
    },
    _TRACE,
)
_DEAD_LETTER: Final = _object(
    "The headers of Kafka Connect's DeadLetterQueueReporter, and our reason code.",
    {
        "__connect.errors.topic": _text("Where the record was."),
        "__connect.errors.partition": _text("Decimal.", pattern=_NUMBER),
        "__connect.errors.offset": _text("Decimal.", pattern=_NUMBER),
        "__connect.errors.connector.name": _text("The application."),
        "__connect.errors.task.id": _text("The worker."),
        "__connect.errors.stage": {"const": "VALUE_CONVERTER"},
        "__connect.errors.class.name": _text("What has refused it."),
        "__connect.errors.exception.class.name": _text("The class of the error."),
        "__connect.errors.exception.message": _text("What was wrong and where.", maxLength=4096),
        "stream-lstm.reason": _text("Reason code.", examples=["not_json", "high_below_low"]),
    },
    {
        "content-type": _text("As received."),
        "stream-lstm.truncated": _text(
            "Only where key and value were too long: the value's size in bytes. The letter has their first "
            "64 KiB, and the original stays readable at its offset.",
            pattern=_NUMBER,
        ),
    },
)
_PREDICTION: Final = {
    "allOf": [
        {"$ref": "#/components/schemas/CloudEventHeaders"},
        _object(
            "And a mark of the state that has answered.",
            {
                "stream-lstm.state": _text(
                    "CRC-32 of last open time, candle count, model id and score count, 8 hexadecimal digits.",
                    pattern=r"^[0-9a-f]{8}$",
                )
            },
            {},
        ),
    ]
}

SCHEMAS: Final[dict[str, Schema]] = {
    "CloudEventHeaders": _CLOUD_EVENT,
    "PredictionHeaders": _PREDICTION,
    "DeadLetterHeaders": _DEAD_LETTER,
}
"""By their names in the components of the AsyncAPI document."""
