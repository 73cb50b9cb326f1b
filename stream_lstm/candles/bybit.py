"""Bybit v5 klines: the symbol stands in the topic only, intervals are minutes or D, W, M.

Spot, linear and inverse share the shape: pin the exchange to keep them apart.
"""

from collections.abc import Iterator
from typing import Any

from stream_lstm.candles.formats import Format, Message, Raw, no_object, rows
from stream_lstm.errors import BadCandle


def _recognises(message: Message) -> bool:
    topic = message.get("topic")
    return isinstance(topic, str) and topic.startswith("kline.") and "data" in message


def _read(message: Message) -> Iterator[Raw | BadCandle]:
    _, interval, symbol = (*message["topic"].split(".", 2), None)[:3]
    sent = message.get("ts")
    for row in rows(message, "data"):
        yield _candle(row, interval, symbol, sent) if type(row) is dict else no_object(row)


def _candle(row: Message, interval: str, symbol: str | None, sent: Any) -> Raw:
    get = row.get
    return Raw(
        "bybit",
        symbol,
        f"{interval}m" if interval.isdecimal() else interval,
        get("start"),
        get("open"),
        get("high"),
        get("low"),
        get("close"),
        get("volume"),
        get("confirm"),
        get("timestamp", sent),
    )


BYBIT = Format("bybit", _recognises, _read)
