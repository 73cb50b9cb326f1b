"""From a record's bytes to candles: finds the format, reads its rows, checks each.

To add a format, write one module like `candles.binance` with one `Format`, and add it to `FORMATS`.
"""

from typing import Any, Final, NamedTuple

import orjson

from stream_lstm.candles import chatter, reasons
from stream_lstm.candles.binance import BINANCE
from stream_lstm.candles.bybit import BYBIT
from stream_lstm.candles.canonical import CANONICAL
from stream_lstm.candles.ccxt import CCXT
from stream_lstm.candles.cryptofeed import CRYPTOFEED
from stream_lstm.candles.formats import NO_PIN, Format, Message, Pin
from stream_lstm.candles.okx import OKX
from stream_lstm.candles.series import Update
from stream_lstm.candles.validation import MAX_BODY, checked
from stream_lstm.errors import BadCandle, SettingsError

__all__ = ["FORMATS", "NO_PIN", "UNKNOWN", "Decoded", "Pin", "decode"]

# Asked in this order: the most frequent first.
FORMATS: Final = {format.name: format for format in (CANONICAL, BINANCE, BYBIT, OKX, CRYPTOFEED, CCXT)}
UNKNOWN: Final = "unknown"
"""The format of a message that is of none."""


class Decoded(NamedTuple):
    """What one record held: candles in the message's order, what is wrong, or why it was skipped."""

    format: str
    updates: list[Update]
    bad: list[BadCandle]
    skipped: str | None = None
    """The kind of a message that is no candle and no mistake: `chatter` names them."""


def decode(value: bytes | None, *, record_ms: int, pin: Pin = NO_PIN) -> Decoded:
    """Read one record's value; `record_ms` is the record's timestamp, `pin` what its input fixes.

    Never raises on a value: what cannot be used is in ``bad``, one `BadCandle` a row, or one for the
    whole message; good rows count although others are bad. Raises `SettingsError` for a pinned format
    that does not exist.
    """
    if not value:
        return Decoded(UNKNOWN, [], [], chatter.TOMBSTONE)
    try:
        message = _parse(value)
        if message is None:
            return Decoded(UNKNOWN, [], [], chatter.TOMBSTONE)
        format = _told(message, pin)
    except BadCandle as bad:
        if chatter.is_bare_heartbeat(value):
            return Decoded(UNKNOWN, [], [], chatter.HEARTBEAT)
        return Decoded(UNKNOWN, [], [bad])
    if format is None:
        return Decoded(UNKNOWN, [], [], chatter.kind_of(message))
    return _read(format, message, record_ms, pin)


def _parse(value: bytes) -> Any:
    if len(value) > MAX_BODY:
        raise BadCandle(reasons.BODY_TOO_LONG, f"the value has {len(value)} bytes, {MAX_BODY} are allowed")
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BadCandle(reasons.NOT_JSON, f"the value is not JSON: {error}") from None


def _told(message: Any, pin: Pin) -> Format | None:
    """The message's format; None if it is chatter."""
    if type(message) is not dict:
        raise BadCandle(reasons.UNKNOWN_SHAPE, f"the value is a JSON {type(message).__name__}, not an object")
    candidates = FORMATS.values() if pin.format is None else (_pinned(pin.format),)
    for format in candidates:
        if format.recognises(message):
            return format
    if chatter.kind_of(message):
        return None
    raise BadCandle(reasons.UNKNOWN_SHAPE, _unlike(message, pin))


def _pinned(name: str) -> Format:
    if name not in FORMATS:
        raise SettingsError(f"an input pins format {name!r}: known are {', '.join(FORMATS)}")
    return FORMATS[name]


def _unlike(message: Message, pin: Pin) -> str:
    keys = ", ".join(list(message)[:8])[:200] or "none"
    if pin.format is not None:
        return f"not the {pin.format} that the input pins; its keys are {keys}"
    return f"of no known format; its keys are {keys}; known are {', '.join(FORMATS)}"


def _read(format: Format, message: Message, record_ms: int, pin: Pin) -> Decoded:
    updates: list[Update] = []
    bad: list[BadCandle] = []
    try:
        for raw in format.read(message):
            try:
                if isinstance(raw, BadCandle):
                    raise raw
                updates.append(checked(raw, record_ms, pin))
            except BadCandle as mistake:
                bad.append(mistake)
    except BadCandle as mistake:
        bad.append(mistake)
    return Decoded(format.name, updates, bad, None if updates or bad else chatter.EMPTY)
