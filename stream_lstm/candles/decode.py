"""From a record's bytes to candles: finds the format, reads its rows, checks each.

To add a format, write one module like `candles.binance` with one `Format`, and add it to `_IN_ORDER`.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from stream_lstm.candles import chatter, reasons
from stream_lstm.candles.binance import BINANCE
from stream_lstm.candles.bybit import BYBIT
from stream_lstm.candles.canonical import CANONICAL
from stream_lstm.candles.ccxt import CCXT
from stream_lstm.candles.coinbase import COINBASE
from stream_lstm.candles.cryptofeed import CRYPTOFEED
from stream_lstm.candles.envelopes import is_framed, named, unframed, unwrapped
from stream_lstm.candles.formats import NO_PIN, Format, Message, Pin
from stream_lstm.candles.gateio import GATEIO
from stream_lstm.candles.hyperliquid import HYPERLIQUID
from stream_lstm.candles.kraken import KRAKEN, KRAKEN_V1
from stream_lstm.candles.kucoin import KUCOIN
from stream_lstm.candles.okx import OKX, OKX_DEX
from stream_lstm.candles.platform import PLATFORM
from stream_lstm.candles.series import Update
from stream_lstm.candles.validation import MAX_BODY, checked
from stream_lstm.errors import BadCandle, SettingsError

__all__ = ["FORMATS", "NO_PIN", "UNKNOWN", "Decoded", "Pin", "decode"]

# Asked in this order: the most frequent first.
_IN_ORDER: Final = (
    CANONICAL,
    BINANCE,
    BYBIT,
    OKX,
    CRYPTOFEED,
    CCXT,
    COINBASE,
    KRAKEN,
    HYPERLIQUID,
    KUCOIN,
    GATEIO,
    PLATFORM,
    OKX_DEX,
    KRAKEN_V1,
)
FORMATS: Final = {format.name: format for format in _IN_ORDER}
_Candidate: TypeAlias = tuple[Callable[[Message], bool], Format]
_BY_SHAPE: Final[tuple[_Candidate, ...]] = tuple((format.recognises, format) for format in _IN_ORDER)
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
        told = _told(_parse(value), pin)
    except BadCandle as bad:
        if chatter.is_bare_heartbeat(value):
            return Decoded(UNKNOWN, [], [], chatter.HEARTBEAT)
        return Decoded(UNKNOWN, [], [bad])
    if isinstance(told, str):
        return Decoded(UNKNOWN, [], [], told)
    format, message = told
    return _read(format, message, record_ms, pin)


def _parse(value: bytes) -> Any:
    if len(value) > MAX_BODY:
        raise BadCandle(reasons.BODY_TOO_LONG, f"the value has {len(value)} bytes, {MAX_BODY} are allowed")
    try:
        return orjson.loads(unframed(value))
    except orjson.JSONDecodeError as error:
        framed = "what follows Confluent's framing" if is_framed(value) else "the value"
        told = f"{framed} is not JSON: {error}"
        if is_framed(value):
            told += "; Avro and Protobuf are not read, use the JSON Schema serialiser"
        raise BadCandle(reasons.NOT_JSON, told) from None


def _told(message: Any, pin: Pin) -> tuple[Format, Message] | str:
    """The format and the message that is of it, out of its envelopes; or the kind of what is no candle."""
    candidates = _BY_SHAPE if pin.format is None else _pinned(pin.format)
    if type(message) is list:
        message = named(message)
    while type(message) is dict:
        for is_of, format in candidates:
            if is_of(message):
                return format, message
        kind = chatter.kind_of(message)
        if kind is not None:
            return kind
        envelope, message = message, unwrapped(message)
        if message is envelope:
            raise BadCandle(reasons.UNKNOWN_SHAPE, _unlike(envelope, pin))
    if message is None:
        return chatter.TOMBSTONE
    told = f"a JSON {type(message).__name__} and not an object"
    if type(message) is list:
        told += '; rows name no series: wrap them as {"symbol": …, "timeframe": …, "ohlcv": [rows]}'
    raise BadCandle(reasons.UNKNOWN_SHAPE, told)


def _pinned(name: str) -> tuple[_Candidate]:
    if name not in FORMATS:
        raise SettingsError(f"an input pins format {name!r}: known are {', '.join(FORMATS)}")
    format = FORMATS[name]
    return ((format.accepts or format.recognises, format),)


def _unlike(message: Message, pin: Pin) -> str:
    keys = ", ".join(list(message)[:8])[:200] or "none"
    if pin.format is not None:
        return f"not the {pin.format} that the input pins; its keys are {keys}"
    known = f"of no known format; its keys are {keys}; known are {', '.join(FORMATS)}"
    if "timestamp" in message and "close" in message:
        # Begin or end of the candle: nothing in the row tells.
        known += '; if timestamp is when the candle begins, pin inputs = [{topic = "…", format = "platform"}]'
    return known


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
