"""cryptofeed's ``CandlesKafka``: seconds, for Bybit ms, and a flag that is wrong for many exchanges.

OKX's is the volume, so true of every forming bar: it counts from the bar's end on. Bybit's stands under
``trades``. Exchanges without a flag say false for ever; `candles.closing` lets a flag only confirm.
"""

from collections.abc import Iterator
from typing import Any

from stream_lstm.candles.formats import Format, Message, Raw
from stream_lstm.candles.units import milliseconds


def _recognises(message: Message) -> bool:
    return "start" in message and "stop" in message


def _read(message: Message) -> Iterator[Raw]:
    get = message.get
    received = get("receipt_timestamp")
    if received is None:
        received = get("timestamp")
    yield Raw(
        get("exchange"),
        get("symbol"),
        get("interval"),
        get("start"),
        get("open"),
        get("high"),
        get("low"),
        get("close"),
        get("volume"),
        _flag(message, received),
        received,
    )


def _flag(message: Message, received: Any) -> Any:
    closed, trades = message.get("closed"), message.get("trades")
    if message.get("exchange") == "OKX":
        ended = received is not None and milliseconds(received) >= milliseconds(message["stop"])
        return closed if ended else None
    # No exchange counts trades in true and false.
    return trades if type(trades) is bool else closed


CRYPTOFEED = Format("cryptofeed", _recognises, _read)
