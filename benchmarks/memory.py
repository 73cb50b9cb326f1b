"""Memory of a series: a full history of 8,760 candles, a model, and all that is learned from outcomes.

What Python and NumPy have allocated at the end of a run, by the module that did. S = 256, a power of two,
so that no column has room to spare.
"""

import gc
import tracemalloc
from itertools import islice
from typing import Final

import bank
import report

from stream_lstm.candles import moments
from stream_lstm.candles.series import SeriesKey
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine

SERIES: Final = 256
CANDLES: Final = EngineConfig().history_candles + 1_024
"""A history is cut by whole blocks: at most one more is held."""
HOUR: Final = "1h"
PARTS: Final = {"history": ("forecasting/history.py",), "model": ("models/", "benchmarks/bank.py")}
TARGET_KB: Final = 400.0
"""A year of hourly candles of 5,000 series shall fit into 2 GB."""


def fed(series: int, candles: int) -> Engine:
    """An engine in the middle of its life: every series with its history, its model and open predictions."""
    names = moments.symbols(series)
    engine = Engine(EngineConfig())
    market = moments.of_market(names, interval=HOUR, start_ms=0, seed=1)
    for at, moment in enumerate(islice(market, candles)):
        for candle in moment:
            engine.admit(0, candle, None, live=at > candles - 10)
        engine.advance(0)
        if at == 200:
            for name, model in zip(names, bank.models(series), strict=True):
                engine.install(SeriesKey(moments.EXCHANGE, name, HOUR), model)
    return engine


def allocated(series: int, candles: int) -> dict[str, float]:
    """Bytes per series by part."""
    fed(1, 300)  # imports and caches are not a series'
    gc.collect()
    tracemalloc.start()
    engine = fed(series, candles)
    gc.collect()
    traces = tracemalloc.take_snapshot().statistics("filename")
    found = dict.fromkeys([*PARTS, "state"], 0.0)
    for trace in traces:
        name = trace.traceback[0].filename
        part = next((part for part, names in PARTS.items() if any(each in name for each in names)), "state")
        found[part] += trace.size / len(engine)
    return found


def main() -> None:
    chosen = report.arguments("Memory of a series, by part.")
    report.on_one_native_thread()
    series, candles = (64, 1_500) if chosen.quick else (SERIES, CANDLES)
    parts = allocated(series, candles)
    whole = sum(parts.values())
    found = report.Report("memory")
    for part, size in {**parts, "all": whole}.items():
        found.rows.append({"what": part, "kb_per_series": size / 1e3})
    found.ratios["kb_per_series"] = report.Ratio(whole / 1e3, TARGET_KB, least=False)
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
