"""Hyperliquid candles: Binance's letters under ``data``, without flag and event time."""

from collections.abc import Iterator

from stream_lstm.candles.formats import Format, Message, Raw, no_object


def _recognises(message: Message) -> bool:
    return message.get("channel") == "candle" and "data" in message


def _read(message: Message) -> Iterator[Raw]:
    candle = message["data"]
    if type(candle) is not dict:
        raise no_object(candle)
    get = candle.get
    yield Raw("hyperliquid", get("s"), get("i"), get("t"), get("o"), get("h"), get("l"), get("c"), get("v"))


HYPERLIQUID = Format("hyperliquid", _recognises, _read)
