"""cryptofeed's ``CandlesKafka``: seconds, for Bybit ms, and a flag that is wrong for many exchanges.

OKX's is the volume, so true of every forming bar: it is not read. Bybit's stands under ``trades``.
Exchanges without a flag say false for ever; `candles.closing` takes a flag as a confirmation only.
"""

from collections.abc import Iterator
from typing import Any

from stream_lstm.candles.formats import Format, Message, Raw


def _recognises(message: Message) -> bool:
    return "start" in message and "stop" in message


def _read(message: Message) -> Iterator[Raw]:
    get = message.get
    received = get("receipt_timestamp")
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
        _flag(message),
        get("timestamp") if received is None else received,
    )


def _flag(message: Message) -> Any:
    exchange, trades = message.get("exchange"), message.get("trades")
    if exchange == "OKX":
        return None
    # No exchange counts trades in true and false.
    return trades if type(trades) is bool else message.get("closed")


CRYPTOFEED = Format("cryptofeed", _recognises, _read)
