"""cryptofeed's ``CandlesKafka``: seconds, for some exchanges ms, and a flag that is often wrong.

It marks every OKX bar closed and no Bybit or Kraken bar ever; `candles.closing` takes the flag as a
confirmation only.
"""

from collections.abc import Iterator

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
        get("closed"),
        get("timestamp") if received is None else received,
    )


CRYPTOFEED = Format("cryptofeed", _recognises, _read)
