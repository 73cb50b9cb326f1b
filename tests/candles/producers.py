"""One message of each producer, all of the same hourly candle, written after the exchanges' documentation."""

from typing import Any

OPEN_MS = 1_728_122_400_000
STEP_MS = 3_600_000
RECORD_MS = OPEN_MS + STEP_MS + 500
CANDLE = (62_010.5, 62_400.0, 61_950.25, 62_100.75, 321.5)


def kline(unit: int = 1) -> dict[str, Any]:
    open_, high, low, close, volume = map(str, CANDLE)
    return {
        "e": "kline",
        "E": (RECORD_MS - 400) * unit,
        "s": "BTCUSDT",
        "k": {
            **{"t": OPEN_MS * unit, "T": (OPEN_MS + STEP_MS) * unit - 1, "s": "BTCUSDT", "i": "1h"},
            **{"o": open_, "c": close, "h": high, "l": low, "v": volume, "n": 12, "x": True, "q": "1.0"},
        },
    }


def named() -> dict[str, float]:
    return dict(zip(("open", "high", "low", "close", "volume"), CANDLE, strict=True))


def texts() -> dict[str, str]:
    return {name: str(value) for name, value in named().items()}


def canonical() -> dict[str, Any]:
    return {
        **{"exchange": "binance", "symbol": "BTCUSDT", "interval": "1h", "openTime": OPEN_MS},
        **{"closeTime": OPEN_MS + STEP_MS - 1, **named(), "closed": True},
    }


def bybit() -> dict[str, Any]:
    row = {
        **{"start": OPEN_MS, "end": OPEN_MS + STEP_MS - 1, "interval": "60", **texts()},
        **{"turnover": "1", "confirm": True, "timestamp": RECORD_MS - 400},
    }
    return {"topic": "kline.60.BTCUSDT", "data": [row], "ts": RECORD_MS - 300, "type": "snapshot"}


def okx(fields: int = 9) -> dict[str, Any]:
    row = [str(OPEN_MS), *texts().values(), *["77.7"] * (fields - 7), "1"]
    return {"arg": {"channel": "candle1H", "instId": "BTC-USDT"}, "data": [row]}


def cryptofeed() -> dict[str, Any]:
    return {
        **{"exchange": "COINBASE", "symbol": "BTC-USDT", "start": OPEN_MS // 1_000},
        **{"stop": (OPEN_MS + STEP_MS) / 1_000 - 0.001, "interval": "1h", "trades": None, **named()},
        **{
            "closed": True,
            "timestamp": RECORD_MS / 1_000 - 0.5,
            "receipt_timestamp": RECORD_MS / 1_000 - 0.4,
        },
    }


def ccxt() -> dict[str, Any]:
    return {"symbol": "BTC/USDT", "timeframe": "1h", "ohlcv": [[OPEN_MS, *CANDLE]]}


def coinbase() -> dict[str, Any]:
    row = {"start": str(OPEN_MS // 1_000), **texts(), "product_id": "BTC-USD"}
    events = [{"type": "update", "candles": [row]}]
    return {"channel": "candles", "timestamp": "2024-10-05T11:00:00.100000Z", "events": events}


def kraken() -> dict[str, Any]:
    row = {"symbol": "BTC/USD", **named(), "interval_begin": "2024-10-05T10:00:00.000000000Z"}
    row |= {"interval": 60, "timestamp": "2024-10-05T11:00:00.000000Z"}
    return {"channel": "ohlc", "type": "update", "timestamp": "2024-10-05T11:00:00.100999999Z", "data": [row]}


def hyperliquid() -> dict[str, Any]:
    letters = dict(zip("ohlcv", texts().values(), strict=True))
    return {
        "channel": "candle",
        "data": {"t": OPEN_MS, "T": OPEN_MS + STEP_MS, "s": "xyz:GOLD", "i": "1h", **letters},
    }


def kucoin() -> dict[str, Any]:
    open_, high, low, close, volume = texts().values()
    row = [str(OPEN_MS // 1_000), open_, close, high, low, volume, "7.7"]
    data = {"symbol": "BTC-USDT", "candles": row, "time": (RECORD_MS - 400) * 1_000_000}
    return {"type": "message", "topic": "/market/candles:BTC-USDT_1hour", "data": data}


def gateio() -> dict[str, Any]:
    open_, high, low, close, volume = texts().values()
    result = {"t": str(OPEN_MS // 1_000), "o": open_, "h": high, "l": low, "c": close}
    result |= {"n": "1h_BTC_USDT", "a": volume, "v": "777.7"}
    return {"time_ms": RECORD_MS - 400, "channel": "spot.candlesticks", "event": "update", "result": result}


def gateio_futures() -> dict[str, Any]:
    row = gateio()["result"] | {"v": int(CANDLE[4] * 2), "n": "1h_BTC_USDT", "t": OPEN_MS // 1_000}
    del row["a"]
    sent = {"time": RECORD_MS // 1_000, "time_ms": RECORD_MS - 400, "event": "update", "error": None}
    return sent | {"channel": "futures.candlesticks", "result": [row]}


def okx_dex() -> dict[str, Any]:
    row = [str(OPEN_MS), *texts().values(), "529.5", "1"]
    address = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
    arg = {"channel": "dex-token-candle1H", "chainIndex": "1", "tokenContractAddress": address}
    return {"arg": arg, "data": [row]}


def kraken_v1() -> list[Any]:
    open_, high, low, close, volume = texts().values()
    traded, end = f"{(RECORD_MS - 400) / 1_000:.6f}", f"{(OPEN_MS + STEP_MS) // 1_000}.000000"
    return [42, [traded, end, open_, high, low, close, "62050.1", volume, 12], "ohlc-60", "XBT/USD"]


def platform() -> dict[str, Any]:
    row = {"timestamp": OPEN_MS // 1_000, "symbol": "BTCUSDT", "timeframe": "1h", **named()}
    return row | {"quoteVolume": 1.0, "trades": 5, "exchange": "binance"}


MESSAGES: dict[str, tuple[str, Any]] = {
    "canonical": ("canonical", canonical()),
    "binance": ("binance", kline()),
    "binance futures": ("binance", kline() | {"ps": "BTCUSDT", "ct": "PERPETUAL"}),
    "binance combined": ("binance", {"stream": "btcusdt@kline_1h@+08:00", "data": kline()}),
    "binance in µs": ("binance", kline(1_000)),
    "bybit": ("bybit", bybit()),
    "okx": ("okx", okx()),
    "okx of 8 fields": ("okx", okx(8)),
    "cryptofeed": ("cryptofeed", cryptofeed()),
    "ccxt": ("ccxt", ccxt()),
    "coinbase": ("coinbase", coinbase()),
    "kraken": ("kraken", kraken()),
    "hyperliquid": ("hyperliquid", hyperliquid()),
    "kucoin": ("kucoin", kucoin()),
    "gateio": ("gateio", gateio()),
    "gateio futures": ("gateio", gateio_futures()),
    "platform": ("platform", platform()),
    "okx-dex": ("okx-dex", okx_dex()),
    "kraken-v1": ("kraken-v1", kraken_v1()),
}
"""By a name of the spelling: the format that it must be told as, and the message."""
