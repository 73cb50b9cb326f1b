"""Kraken's ``ohlc``, v2 and v1: minutes as interval, no flag, no bar without a trade.

In v2 times are RFC 3339 with nanoseconds; a row's ``timestamp`` is the bar's end and deprecated, the open
time is ``interval_begin``. v1 is an array, ``[channel, row, "ohlc-5", "XBT/USD"]``,
whose row tells the end only.
"""

from collections.abc import Iterator
from reprlib import repr as short
from typing import Any, Final

from stream_lstm.candles import reasons
from stream_lstm.candles.envelopes import CHANNEL, PAIR, PAYLOAD
from stream_lstm.candles.formats import Format, Message, Raw, no_object, rows
from stream_lstm.errors import BadCandle

_V1: Final = "ohlc-"
_V1_FIELDS: Final = 9
"""Last trade's time, end, open, high, low, close, average price, volume, trades."""


def _recognises(message: Message) -> bool:
    return message.get("channel") == "ohlc" and "data" in message


def _read(message: Message) -> Iterator[Raw | BadCandle]:
    sent = message.get("timestamp")
    for row in rows(message, "data"):
        yield _candle(row, sent) if type(row) is dict else no_object(row)


def _candle(row: Message, sent: object) -> Raw:
    get = row.get
    prices = (get("open"), get("high"), get("low"), get("close"), get("volume"))
    minutes = _minutes(get("interval"))
    return Raw("kraken", get("symbol"), minutes, get("interval_begin"), *prices, event_time=sent)


def _minutes(interval: Any) -> Any:
    if type(interval) is int or (type(interval) is str and interval.isdecimal()):
        return f"{interval}m"
    return interval


def _recognises_v1(message: Message) -> bool:
    channel = message.get(CHANNEL)
    return isinstance(channel, str) and channel.startswith(_V1)


def _read_v1(message: Message) -> Iterator[Raw]:
    row = rows(message, PAYLOAD)
    if len(row) != _V1_FIELDS:
        raise BadCandle(reasons.UNKNOWN_SHAPE, f"row {short(row)} must have nine fields")
    traded, end, open_, high, low, close, _, volume, _ = row
    minutes = _minutes(message[CHANNEL].removeprefix(_V1))
    prices = (None, open_, high, low, close, volume)
    yield Raw("kraken", message[PAIR], minutes, *prices, event_time=traded, end_time=end)


KRAKEN = Format("kraken", _recognises, _read)
KRAKEN_V1 = Format("kraken-v1", _recognises_v1, _read_v1)
