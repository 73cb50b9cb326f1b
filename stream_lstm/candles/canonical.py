"""Our own format; also rows of a table with the same columns in snake case (``open_time``).

``closed``, ``closeTime`` and ``eventTime`` may be missing. A row that Debezium's unwrapping marks as
deleted is no candle.
"""

from collections.abc import Iterator
from typing import Any, Final

from stream_lstm.candles import reasons
from stream_lstm.candles.formats import Format, Message, Raw
from stream_lstm.candles.units import milliseconds
from stream_lstm.errors import BadCandle

_NAMELESS_TIMES: Final = ("timestamp", "time", "date", "datetime")
"""Where a flat row may hold the begin of its candle, or its end: only its producer knows."""
_MINUTE_MS: Final = 60_000
_TRUE: Final = ("true", True)


def _recognises(message: Message) -> bool:
    # Without its open time it is still ours, and the dead letter says which field is missing.
    return (
        "openTime" in message
        or "open_time" in message
        or ("interval" in message and "open" in message and "start" not in message)
    )


def _read(message: Message) -> Iterator[Raw]:
    get = message.get
    if get("__deleted") in _TRUE or get("__op") == "d":
        return
    open_time = get("openTime")
    if open_time is None:
        open_time = get("open_time")
    if open_time is None:
        _refuse_nameless(message)
    interval = get("interval")
    if interval == 60 or interval == "60":
        interval = _sixty(open_time, get("closeTime", get("close_time")))
    yield Raw(
        get("exchange"),
        get("symbol"),
        interval,
        open_time,
        get("open"),
        get("high"),
        get("low"),
        get("close"),
        get("volume"),
        get("closed"),
        get("eventTime"),
    )


def _refuse_nameless(message: Message) -> None:
    for name in _NAMELESS_TIMES:
        if name in message:
            told = f"open time is missing, and {name} may be the candle's begin or its end"
            way_out = (
                'call it openTime, or pin inputs = [{topic = "…", format = "platform"}] if it is the begin'
            )
            raise BadCandle(reasons.MISSING_FIELD, f"{told}: {way_out}")


def _sixty(open_time: Any, close_time: Any) -> str:
    """60 minutes, the only bare number that may be seconds as well, unless the close time says otherwise."""
    if open_time is None or close_time is None:
        return "1h"
    length = milliseconds(close_time) - milliseconds(open_time)
    return "1m" if length <= _MINUTE_MS else "1h"


CANONICAL = Format("canonical", _recognises, _read)
