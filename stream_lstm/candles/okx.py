"""OKX candles: rows ``[ts, o, h, l, c, vol, …, confirm]`` of 8 or 9 fields, confirm always the last.

The interval stands in the channel only. Days and weeks open on Hong Kong time unless the channel ends
in ``utc``; that is a phase, not an error. Volume is in contracts on derivatives.
"""

from collections.abc import Iterator
from reprlib import repr as short
from typing import Any, Final

from stream_lstm.candles import reasons
from stream_lstm.candles.formats import Format, Message, Raw, rows
from stream_lstm.errors import BadCandle

_LENGTHS: Final = (8, 9)


def _recognises(message: Message) -> bool:
    arg = message.get("arg")
    if not isinstance(arg, dict) or "data" not in message:
        return False
    channel = arg.get("channel")
    return isinstance(channel, str) and channel.startswith("candle")


def _read(message: Message) -> Iterator[Raw | BadCandle]:
    arg = message["arg"]
    for row in rows(message, "data"):
        if type(row) is list and len(row) in _LENGTHS:
            open_time, open_, high, low, close, volume = row[:6]
            prices = (open_time, open_, high, low, close, volume)
            yield Raw("okx", arg.get("instId"), arg["channel"], *prices, _flag(row[-1]))
        else:
            yield BadCandle(reasons.UNKNOWN_SHAPE, f"row {short(row)} is no list of 8 or 9 fields")


def _flag(confirm: Any) -> Any:
    if confirm == "1":
        return True
    return False if confirm == "0" else confirm


OKX = Format("okx", _recognises, _read)
