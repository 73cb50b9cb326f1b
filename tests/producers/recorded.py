"""What four exchanges send on their sockets for the candles of a series, after their documentation."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from stream_lstm.candles.series import Closed


class Sent(NamedTuple):
    """A raw message of a socket, and when it arrives (epoch ms)."""

    text: str
    at_ms: int


def updates(exchange: str, candle: Closed) -> Iterator[Sent]:
    """Twice while it forms, the second time in its last second, and once when it has closed."""
    half = candle._replace(close=candle.low, volume=candle.volume / 2)
    nearly = candle._replace(close=candle.high, volume=candle.volume * 0.75)
    say = _SAY[exchange]
    yield Sent(say(half, False, candle.open_ms + candle.step_ms // 2), candle.open_ms + candle.step_ms // 2)
    yield Sent(say(nearly, False, candle.close_ms - 400), candle.close_ms - 399)
    # Kraken says nothing at the end: its last trade is the last that it sends.
    end_ms = candle.close_ms - 100 if exchange == "KRAKEN" else candle.close_ms + 12
    yield Sent(say(candle, True, end_ms), end_ms + 20)


def greetings(exchange: str) -> list[str]:
    """What comes before the first candle."""
    return {
        "BINANCE": [],
        "OKX": ['{"event":"subscribe","arg":{"channel":"candle1H","instId":"BTC-USDT"},"connId":"a4d3ae55"}'],
        "BYBIT": ['{"success":true,"ret_msg":"","op":"subscribe","conn_id":"cejreassvfrsfvb9v1a0-2m"}'],
        "KRAKEN": [
            '{"connectionID":8628615390848610000,"event":"systemStatus","status":"online","version":"1.9.1"}',
            '{"channelID":42,"channelName":"ohlc-60","event":"subscriptionStatus","pair":"XBT/USD",'
            '"status":"subscribed","subscription":{"interval":60,"name":"ohlc"}}',
            '{"event":"heartbeat"}',
        ],
    }[exchange]


def _binance(candle: Closed, closed: bool, at_ms: int) -> str:
    kline = {
        **{"t": candle.open_ms, "T": candle.close_ms, "s": "BTCUSDT", "i": "1h", "f": 100, "L": 345},
        **{"o": str(candle.open), "c": str(candle.close), "h": str(candle.high), "l": str(candle.low)},
        **{"v": str(candle.volume), "n": 246, "x": closed, "q": "1.0", "V": "0.5", "Q": "0.5", "B": "0"},
    }
    event = {"e": "kline", "E": at_ms, "s": "BTCUSDT", "k": kline}
    return json.dumps({"stream": "btcusdt@kline_1h", "data": event})


def _okx(candle: Closed, closed: bool, at_ms: int) -> str:
    row = [str(candle.open_ms), *map(str, candle[3:8]), "40743115.77", "40743115.77", "01"[closed]]
    return json.dumps({"arg": {"channel": "candle1H", "instId": "BTC-USDT"}, "data": [row]})


def _bybit(candle: Closed, closed: bool, at_ms: int) -> str:
    row = {
        **{"start": candle.open_ms, "end": candle.close_ms, "interval": "60", "confirm": closed},
        **{name: str(getattr(candle, name)) for name in ("open", "close", "high", "low", "volume")},
        **{"turnover": "34666.4005", "timestamp": at_ms},
    }
    return json.dumps({"topic": "kline.60.BTCUSDT", "data": [row], "ts": at_ms, "type": "snapshot"})


def _kraken(candle: Closed, closed: bool, at_ms: int) -> str:
    end = f"{(candle.close_ms + 1) // 1_000}.000000"
    prices = [f"{price!r}" for price in candle[3:7]]
    row = [f"{at_ms / 1_000:.6f}", end, *prices, prices[-1], repr(candle.volume), 42]
    return json.dumps([42, row, "ohlc-60", "XBT/USD"])


_SAY = {"BINANCE": _binance, "OKX": _okx, "BYBIT": _bybit, "KRAKEN": _kraken}


def told(ms: int) -> str:
    """A moment for an assertion that failed."""
    return f"{datetime.fromtimestamp(ms / 1_000, UTC):%F %T}"
