"""Binance kline streams: bare, combined (``{stream, data}``), spot and futures, times in ms or µs.

The message does not say spot or futures: pin the exchange to keep them apart. Coin-margined futures
count ``v`` in contracts.
"""

from collections.abc import Iterator

from stream_lstm.candles.formats import Format, Message, Raw, no_object


def _recognises(message: Message) -> bool:
    if "k" in message:
        return True
    data = message.get("data") if "stream" in message else None
    return isinstance(data, dict) and "k" in data


def _read(message: Message) -> Iterator[Raw]:
    event = message if "k" in message else message["data"]
    kline = event["k"]
    if type(kline) is not dict:
        raise no_object(kline)
    get = kline.get
    yield Raw(
        "binance",
        get("s") or event.get("s"),
        get("i"),
        get("t"),
        get("o"),
        get("h"),
        get("l"),
        get("c"),
        get("v"),
        get("x"),
        event.get("E"),
    )


BINANCE = Format("binance", _recognises, _read)
