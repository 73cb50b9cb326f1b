"""A closed candle as our own format writes it; the counterpart of `candles.canonical`."""

import orjson

from stream_lstm.candles.series import Closed


def canonical(candle: Closed) -> bytes:
    """The candle as JSON, flagged closed, its prices to the last bit.

    >>> from stream_lstm.candles.series import SeriesKey
    >>> bar = Closed(SeriesKey("binance", "BTCUSDT", "1m"), 60_000, 0, 1.0, 2.0, 0.5, 1.5, 7.0)
    >>> orjson.loads(canonical(bar))["closeTime"]
    59999
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
            "closed": True,
        }
    )
