"""What experiments decide about planted challengers: 200 markets each, through the engine itself.

Each market is a synthetic one of its own seed, with a champion and a challenger that are trained once on
its first 300 candles. `blurred` is `har` with a random error in its widths (deviation 0.5 in the log),
`sharp` is `har` itself: better, equal (two errors of the same size) and worse are known. `naive` against
`har` is what an operator might try.
"""

import time
from statistics import median
from typing import Any, Final

import report
from planted import TYPES

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.experiments import RESULT
from stream_lstm.forecasting.trial import Plan
from stream_lstm.models.registry import MODEL_TYPES, fit

HOUR: Final = 3_600_000
BEFORE: Final = 300
MOST: Final = 2_000
ALPHA: Final = 0.05
TRIED: Final = {
    "better": ("blurred", "sharp"),
    "equal": ("blurred", "blurred too"),
    "worse": ("sharp", "blurred"),
    "har against naive": ("naive", "har"),
    "naive against har": ("har", "naive"),
}


def candles(seed: int, count: int) -> list[Closed]:
    key = SeriesKey("synthetic", f"S{seed}", "1h")
    opens, bars = market(["S"], step_ms=HOUR, start_ms=0, candles=count, seed=seed)["S"]
    return [Closed(key, HOUR, *row) for row in zip(opens.tolist(), *bars.T.tolist(), strict=True)]


def begun(champion: str, challenger: str, markets: list[list[Closed]], most: int) -> Engine:
    """An engine whose series have a model and an experiment each."""
    horizons = ("1h", "4h", "1d")
    engine = Engine(EngineConfig(model=champion, horizons=horizons, expiry_ms=100 * 365 * 24 * HOUR))
    for at in range(BEFORE):
        for rows in markets:
            engine.admit("p", rows[at], None, live=False)
        engine.advance(0)
    for series in engine.all_series():
        data = engine.training_set(series.key)
        assert data is not None
        engine.install(series.key, fit(champion, [data])[0])
        engine.experiments.start(series, Plan("bench", challenger, ALPHA, most))
        assert engine.experiments.install(series, fit(challenger, [data])[0])
    return engine


def decided(champion: str, challenger: str, markets: list[list[Closed]]) -> list[dict[str, Any]]:
    """The result of every experiment."""
    most = len(markets[0]) - BEFORE
    engine, results, running = begun(champion, challenger, markets, most), {}, markets
    for at in range(BEFORE, BEFORE + most):
        running = [rows for rows in running if rows[0].series not in results]
        if not running:
            break
        for rows in running:
            engine.admit("p", rows[at], None, live=True)
        for said in engine.advance(0).values():
            results |= {event.series: event.data for event in said.events if event.type == RESULT}
    return list(results.values())


def row(name: str, champion: str, challenger: str, results: list[dict[str, Any]]) -> report.Row:
    total = len(results)
    by = {
        outcome: [one["candles"] for one in results if one["outcome"] == outcome]
        for outcome in ("promoted", "rejected", "undecided")
    }
    first = [one["horizons"][0] for one in results]
    return {
        "what": name,
        "champion": champion,
        "challenger": challenger,
        "series": total,
        "gain": median(1 - one["challengerWinkler"] / one["winkler"] for one in first),
        "promoted": len(by["promoted"]) / total,
        "rejected": len(by["rejected"]) / total,
        "undecided": len(by["undecided"]) / total,
        "candles_to_promotion": median(by["promoted"]) if by["promoted"] else None,
        "candles_to_rejection": median(by["rejected"]) if by["rejected"] else None,
    }


def main() -> None:
    chosen = report.arguments("What experiments decide about planted challengers, and how soon.")
    report.on_one_native_thread(pinned=False)
    MODEL_TYPES.update(TYPES)
    series, count = (4, BEFORE + 60) if chosen.quick else (200, BEFORE + MOST)
    markets = [candles(seed, count) for seed in range(1, series + 1)]
    found = report.Report("experiments")
    for name, (champion, challenger) in TRIED.items():
        began = time.perf_counter()
        results = decided(champion, challenger, markets)
        if results:
            found.rows.append(row(name, champion, challenger, results))
        took = time.perf_counter() - began
        print(f"{name}: {len(results)} of {series} decided in {took:.0f} s", flush=True)
    for one in found.rows:
        if one["what"] == "equal":
            found.ratios["equal_promoted"] = report.Ratio(float(one["promoted"] or 0), ALPHA, least=False)
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
