"""ccxt's OHLCV rows, wrapped: ``{"symbol", "timeframe", "ohlcv": [[ms, o, h, l, c, v], …]}``.

The last row is forming as far as anybody knows; those before it have closed. The exchange is the
input's pin, else the ``exchange`` field, else ``ccxt``.
"""

from collections.abc import Iterator
from reprlib import repr as short

from stream_lstm.candles import reasons
from stream_lstm.candles.formats import Format, Message, Raw, rows
from stream_lstm.errors import BadCandle


def _recognises(message: Message) -> bool:
    return "ohlcv" in message


def _read(message: Message) -> Iterator[Raw | BadCandle]:
    candles = rows(message, "ohlcv")
    exchange = message.get("exchange")
    if exchange is None:
        exchange = "ccxt"
    symbol, interval = message.get("symbol"), message.get("timeframe")
    for place, row in enumerate(candles, start=1):
        if type(row) is not list or len(row) != 6:
            wanted = "[ms, open, high, low, close, volume]"
            yield BadCandle(reasons.UNKNOWN_SHAPE, f"row {place} is {short(row)}: it must be {wanted}")
            continue
        open_time, open_, high, low, close, volume = row
        # ccxt says null where an exchange tells no volume.
        prices = (open_, high, low, close, 0.0 if volume is None else volume)
        yield Raw(exchange, symbol, interval, open_time, *prices, True if place < len(candles) else None)


CCXT = Format("ccxt", _recognises, _read)
