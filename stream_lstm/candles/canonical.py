"""Our own format; also rows of a table with the same columns in snake case (``open_time``).

``closed``, ``closeTime`` and ``eventTime`` may be missing. A row that Debezium's unwrapping marks as
deleted is no candle.
"""

from collections.abc import Iterator

from stream_lstm.candles.formats import Format, Message, Raw


def _recognises(message: Message) -> bool:
    # Without its open time it is still ours, and the dead letter says which field is missing.
    return "openTime" in message or ("interval" in message and "open" in message and "start" not in message)


def _read(message: Message) -> Iterator[Raw]:
    get = message.get
    if get("__deleted") == "true":
        return
    open_time = get("openTime")
    yield Raw(
        get("exchange"),
        get("symbol"),
        get("interval"),
        get("open_time") if open_time is None else open_time,
        get("open"),
        get("high"),
        get("low"),
        get("close"),
        get("volume"),
        get("closed"),
        get("eventTime"),
    )


CANONICAL = Format("canonical", _recognises, _read)
