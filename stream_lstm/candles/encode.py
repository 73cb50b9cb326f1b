"""A candle as our own format writes it; the counterpart of `candles.canonical`."""

import orjson

from stream_lstm.candles.series import Closed, Update


def canonical(candle: Closed | Update) -> bytes:
    """The candle as JSON, its prices to the last bit; an update is flagged as it says.

    >>> from stream_lstm.candles.series import SeriesKey
    >>> bar = Closed(SeriesKey("binance", "BTCUSDT", "1m"), 60_000, 0, 1.0, 2.0, 0.5, 1.5, 7.0)
    >>> told = orjson.loads(canonical(bar))
    >>> told["closeTime"], told["closed"]
    (59999, True)
    >>> orjson.loads(canonical(Update(*bar, closed=False)))["closed"]
    False
    """
    exchange, symbol, interval = candle.series
    return orjson.dumps(
        {
            "exchange": exchange,
            "symbol": symbol,
            "interval": interval,
            "openTime": candle.open_ms,
            "closeTime": candle.close_ms,
            "open": candle.open,
            "high": candle.high,
            "low": candle.low,
            "close": candle.close,
            "volume": candle.volume,
            "closed": candle.closed is True if isinstance(candle, Update) else True,
        }
    )
