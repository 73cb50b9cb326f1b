"""An engine, candles for it, and what it says: for tests of the engine and of what keeps its state."""

import json
from collections.abc import Hashable, Iterable
from typing import Any

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Outputs

HOUR = 3_600_000
START = 1_600_000_000_000 // HOUR * HOUR
HORIZONS = ("1h", "4h", "1d")
P = "candles-0"


def candles(symbol: str = "AAA", count: int = 200, seed: int = 1, step_ms: int = HOUR) -> list[Closed]:
    interval = {HOUR: "1h", 4 * HOUR: "4h"}[step_ms]
    opens, bars = market([symbol], step_ms=step_ms, start_ms=START, candles=count, seed=seed)[symbol]
    key = SeriesKey("binance", symbol, interval)
    return [Closed(key, step_ms, *row) for row in zip(opens.tolist(), *bars.T.tolist(), strict=True)]


def engine(**changes: Any) -> Engine:
    return Engine(EngineConfig(**{"horizons": HORIZONS, **changes}))


def feed(to: Engine, rows: Iterable[Closed], *, live: bool = True, partition: Hashable = P) -> Outputs:
    """One candle at a time; everything said."""
    said = Outputs()
    for row in rows:
        to.admit(partition, row, None, live=live)
        for part in to.advance(0).values():
            said.predictions += part.predictions
            said.scores += part.scores
            said.events += part.events
    return said


def bodies(said: Outputs) -> list[str]:
    return sorted(json.dumps(one.body) for one in [*said.predictions, *said.scores])


def moved(candle: Closed, factor: float) -> Closed:
    close = candle.close * factor
    return candle._replace(close=close, high=max(candle.high, close), low=min(candle.low, close))
