"""Gate.io candlesticks: ``n`` names interval and pair (``1m_BTC_USDT``), ``a`` is the base volume.

On spot ``v`` is the quote volume. On futures there is no ``a``, results come in a list, and ``v`` counts
contracts. Newer feeds flag the end with ``w``.
"""

from collections.abc import Iterator
from typing import Any, Final

from stream_lstm.candles.formats import Format, Message, Raw, no_object
from stream_lstm.errors import BadCandle

_SPOT: Final = "spot.candlesticks"


def _recognises(message: Message) -> bool:
    channel = message.get("channel")
    return isinstance(channel, str) and channel.endswith(".candlesticks") and message.get("event") == "update"


def _read(message: Message) -> Iterator[Raw | BadCandle]:
    result = message.get("result")
    sent = message.get("time_ms", message.get("time"))
    volume = "a" if message["channel"] == _SPOT else "v"
    for row in result if type(result) is list else [result]:
        yield _candle(row, volume, sent) if type(row) is dict else no_object(row)


def _candle(row: Message, volume: str, sent: Any) -> Raw:
    get = row.get
    name = get("n")
    interval, _, symbol = name.partition("_") if type(name) is str else (None, "", None)
    prices = (get("o"), get("h"), get("l"), get("c"), get(volume))
    return Raw("gateio", symbol, interval, get("t"), *prices, get("w"), sent)


GATEIO = Format("gateio", _recognises, _read)
