"""The original platform's own candle: ``timestamp`` in seconds, ``timeframe``; only closed ones are sent."""

from collections.abc import Iterator

from stream_lstm.candles.formats import Format, Message, Raw


def _recognises(message: Message) -> bool:
    return "timeframe" in message and "timestamp" in message


def _read(message: Message) -> Iterator[Raw]:
    get = message.get
    prices = (get("open"), get("high"), get("low"), get("close"), get("volume"))
    yield Raw(get("exchange"), get("symbol"), get("timeframe"), get("timestamp"), *prices, closed=True)


PLATFORM = Format("platform", _recognises, _read)
