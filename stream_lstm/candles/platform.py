"""The original platform's own candle: ``timestamp`` in seconds, ``timeframe``; only closed ones are sent.

Pinned, it also takes rows that call it ``interval``, or leave it to the pin: nobody but the input's owner
knows whether the ``timestamp`` of a flat row is its begin.
"""

from collections.abc import Iterator

from stream_lstm.candles.formats import Format, Message, Raw


def _recognises(message: Message) -> bool:
    return "timeframe" in message and "timestamp" in message


def _accepts(message: Message) -> bool:
    return "timestamp" in message and "close" in message and "start" not in message


def _read(message: Message) -> Iterator[Raw]:
    get = message.get
    prices = (get("open"), get("high"), get("low"), get("close"), get("volume"))
    interval = get("timeframe", get("interval"))
    yield Raw(get("exchange"), get("symbol"), interval, get("timestamp"), *prices, get("closed", True))


PLATFORM = Format("platform", _recognises, _read, _accepts)
