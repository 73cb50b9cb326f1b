"""Kraken v2 ``ohlc``: minutes as interval, RFC 3339 with nanoseconds, no flag, no bar without a trade.

A row's ``timestamp`` is the bar's end and deprecated; the open time is ``interval_begin``.
"""

from collections.abc import Iterator

from stream_lstm.candles.formats import Format, Message, Raw, no_object, rows
from stream_lstm.errors import BadCandle


def _recognises(message: Message) -> bool:
    return message.get("channel") == "ohlc" and "data" in message


def _read(message: Message) -> Iterator[Raw | BadCandle]:
    sent = message.get("timestamp")
    for row in rows(message, "data"):
        yield _candle(row, sent) if type(row) is dict else no_object(row)


def _candle(row: Message, sent: object) -> Raw:
    get = row.get
    interval = get("interval")
    minutes = f"{interval}m" if type(interval) is int else interval
    prices = (get("open"), get("high"), get("low"), get("close"), get("volume"))
    return Raw("kraken", get("symbol"), minutes, get("interval_begin"), *prices, event_time=sent)


KRAKEN = Format("kraken", _recognises, _read)
