"""KuCoin candles: ``[time, open, close, high, low, volume, turnover]``, close before high.

The interval stands in the topic, ``/market/candles:BTC-USDT_1hour``; no flag.
"""

from collections.abc import Iterator
from reprlib import repr as short
from typing import Final

from stream_lstm.candles import reasons
from stream_lstm.candles.formats import Format, Message, Raw, no_object, rows
from stream_lstm.errors import BadCandle

_TOPIC: Final = "/market/candles:"


def _recognises(message: Message) -> bool:
    topic = message.get("topic")
    return isinstance(topic, str) and topic.startswith(_TOPIC) and "data" in message


def _read(message: Message) -> Iterator[Raw]:
    symbol, _, interval = message["topic"].removeprefix(_TOPIC).rpartition("_")
    data = message["data"]
    if type(data) is not dict:
        raise no_object(data)
    row = rows(data, "candles")
    if len(row) != 7:
        # One field less, and every later one would pass for its neighbour.
        raise BadCandle(reasons.UNKNOWN_SHAPE, f"candles is {short(row)}: it must have seven fields")
    open_time, open_, close, high, low, volume, _ = row
    prices = (open_, high, low, close, volume)
    yield Raw("kucoin", symbol, interval, open_time, *prices, event_time=data.get("time"))


KUCOIN = Format("kucoin", _recognises, _read)
