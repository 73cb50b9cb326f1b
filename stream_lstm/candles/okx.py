"""OKX candles: rows ``[ts, o, h, l, c, vol, …, confirm]`` of 8 or 9 fields, confirm always the last.

The interval stands in the channel only. Days and weeks open on Hong Kong time unless the channel ends
in ``utc``; that is a phase, not an error. Volume is in contracts on derivatives. On OKX DEX a token is named
by its chain and its contract's address.
"""

from collections.abc import Iterator
from reprlib import repr as short
from typing import Any, Final

from stream_lstm.candles import reasons
from stream_lstm.candles.formats import Format, Message, Raw, rows
from stream_lstm.errors import BadCandle

_CHANNEL: Final = "candle"
_DEX_CHANNEL: Final = "dex-token-candle"
_LENGTHS: Final = (8, 9)


def _recognises(message: Message) -> bool:
    return _is_of(_CHANNEL, message)


def _recognises_dex(message: Message) -> bool:
    return _is_of(_DEX_CHANNEL, message)


def _is_of(prefix: str, message: Message) -> bool:
    arg = message.get("arg")
    if not isinstance(arg, dict) or "data" not in message:
        return False
    channel = arg.get("channel")
    return isinstance(channel, str) and channel.startswith(prefix)


def _read(message: Message) -> Iterator[Raw | BadCandle]:
    arg = message["arg"]
    return _candles("okx", arg.get("instId"), arg["channel"], rows(message, "data"))


def _read_dex(message: Message) -> Iterator[Raw | BadCandle]:
    arg = message["arg"]
    chain = arg.get("chainIndex", arg.get("chainId"))
    address = arg.get("tokenContractAddress", arg.get("tokenAddress"))
    if not (type(address) is str and address and type(chain) in (str, int) and str(chain).isdecimal()):
        told = f"chainIndex is {short(chain)} and tokenContractAddress {short(address)}"
        raise BadCandle(reasons.MISSING_FIELD, f"{told}: together they name the token")
    # One address may stand for other tokens on other chains.
    token = f"{chain}-{address}"
    return _candles("okx-dex", token, arg["channel"].removeprefix("dex-token-"), rows(message, "data"))


def _candles(exchange: str, symbol: Any, channel: str, candles: list[Any]) -> Iterator[Raw | BadCandle]:
    for row in candles:
        if type(row) is list and len(row) in _LENGTHS:
            open_time, open_, high, low, close, volume = row[:6]
            prices = (open_time, open_, high, low, close, volume)
            yield Raw(exchange, symbol, channel, *prices, _flag(row[-1]))
        else:
            yield BadCandle(reasons.UNKNOWN_SHAPE, f"row {short(row)} is no list of 8 or 9 fields")


def _flag(confirm: Any) -> Any:
    if confirm == "1":
        return True
    return False if confirm == "0" else confirm


OKX = Format("okx", _recognises, _read)
OKX_DEX = Format("okx-dex", _recognises_dex, _read_dex)
