"""What other systems wrap around a candle: Confluent's framing, Kafka Connect, Debezium, CloudEvents, arrays.

Looked at only when a message is of no format itself.
"""

from base64 import b64decode
from reprlib import repr as short
from typing import Any, Final

from stream_lstm.candles import reasons
from stream_lstm.candles.formats import Message
from stream_lstm.errors import BadCandle

_DECIMAL: Final = "org.apache.kafka.connect.data.Decimal"
_PRICES: Final = ("open", "high", "low", "close", "volume")
CHANNEL: Final = "channelName"
PAIR: Final = "pair"
PAYLOAD: Final = "payload"
"""What the parts of an array message are called once it is an object."""
_MAGIC: Final = b"\x00"
_WAY_OUT: Final = "set decimal.handling.mode=double, or send the schema along"
_FRAME: Final = 5
"""Bytes of Confluent's framing: the magic zero and the schema's id."""


def unframed(value: bytes) -> bytes:
    """The value without Confluent's framing, if it has it."""
    return value[_FRAME:] if is_framed(value) else value


def is_framed(value: bytes) -> bool:
    """Whether the value begins as Confluent's serialisers begin."""
    return value[:1] == _MAGIC and len(value) > _FRAME


def named(array: list[Any]) -> Any:
    """Kraken v1's array, ``[channel id, payload, channel name, pair]``, as an object; any other as it is.

    >>> named([42, [], "ohlc-5", "XBT/USD"])
    {'payload': [], 'channelName': 'ohlc-5', 'pair': 'XBT/USD'}
    """
    if len(array) == 4 and isinstance(array[2], str) and not isinstance(array[0], list | dict):
        return dict(zip((PAYLOAD, CHANNEL, PAIR), array[1:], strict=True))
    return array


def unwrapped(message: Message) -> Any:
    """What is inside the message: the row or event, None for a deleted row; itself if it is no envelope.

    Raises `BadCandle` for decimals that cannot be decoded.
    """
    if "payload" in message and "schema" in message:
        return _connect(message["payload"], message["schema"])
    if "after" in message and "op" in message:
        return _changed(message, None)
    if "specversion" in message and isinstance(message.get("data"), dict):
        return message["data"]
    return message


def _connect(payload: Any, schema: Any) -> Any:
    """A payload with the schema beside it: a row, or a change of one."""
    if not isinstance(payload, dict):
        return payload
    if "after" in payload and "op" in payload:
        return _changed(payload, _field(schema, "after"))
    return _decoded(payload, schema)


def _changed(change: Message, schema: Any) -> Any:
    row = change["after"]
    if change["op"] == "d" or row is None:
        return None
    return _decoded(row, schema) if isinstance(row, dict) else row


def _decoded(row: Message, schema: Any) -> Message:
    """The row with its decimals as numbers."""
    prices = [name for name in _PRICES if name in row]
    decoded = {name: _decimal(row[name], _field(schema, name)) for name in prices}
    if not isinstance(schema, dict):
        _refuse_lookalikes([row[name] for name in prices])
    return row | decoded


def _refuse_lookalikes(values: list[Any]) -> None:
    """Base64 may consist of digits only: texts that could all be it are no numbers without their schema."""
    if values and all(isinstance(value, str) and _may_be_base64(value) for value in values):
        told = f"{short(values)} may be numbers or base64 decimals"
        raise BadCandle(reasons.UNDECODABLE_DECIMAL, f"{told}: {_WAY_OUT}")


def _may_be_base64(value: str) -> bool:
    return len(value) % 4 == 0 and value.replace("+", "").isalnum()


def _decimal(value: Any, schema: Any) -> Any:
    """Connect's Decimal: base64 of the unscaled integer, big-endian; the scale stands in the schema."""
    if not isinstance(value, str):
        return value
    if not isinstance(schema, dict) or schema.get("name") != _DECIMAL:
        return _number_text(value)
    try:
        digits, scale = b64decode(value, validate=True), schema["parameters"]["scale"]
        if digits and type(scale) is str and scale.isdecimal():
            return f"{int.from_bytes(digits, 'big', signed=True)}e-{scale}"
    except (ValueError, KeyError, TypeError):
        pass
    raise BadCandle(reasons.UNDECODABLE_DECIMAL, f"{short(value)} is no decimal of its schema")


def _number_text(value: str) -> str:
    try:
        float(value)
    except ValueError:
        told = f"{short(value)} is no number; a base64 decimal cannot be decoded without its scale"
        raise BadCandle(reasons.UNDECODABLE_DECIMAL, f"{told}: {_WAY_OUT}") from None
    return value


def _field(schema: Any, name: str) -> Any:
    fields = schema.get("fields") if isinstance(schema, dict) else None
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, dict) and field.get("field") == name:
            return field
    return None
