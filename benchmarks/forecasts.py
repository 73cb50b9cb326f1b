"""What the forecasts are worth: model by horizon over a folder of candle files, walked forward."""

import argparse
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import report

from stream_lstm import backtesting
from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.evaluation.backtest import Walk
from stream_lstm.evaluation.summary import summarise
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.terminal.progress import counting

DAY_MS: Final = 86_400_000
MODELS: Final = "naive,constant,garch,classic,har,lstm"
GOALS: Final = {"1h": 0.960, "4h": 0.959, "1d": 0.909, "7d": 0.73}
"""Mean Winkler ratios that the default model should reach on seven crypto series, 2020-10 to 2022-10."""


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of files named SYMBOL-INTERVAL.csv[.gz]")
    parser.add_argument("--models", default=MODELS, help=MODELS)
    parser.add_argument("--symbols", help="only these, with commas between")
    parser.add_argument("--from", dest="begin", default="2020-10-01", help="first day that is judged")
    parser.add_argument("--to", dest="end", default="2022-10-11", help="end of what is judged")
    parser.add_argument("--retrain-days", type=int, default=14)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="file for the result (benchmarks/results/forecasts.json)")
    parser.add_argument("--quick", action="store_true", help="the last 3,000 candles: to see that it runs")
    return parser.parse_args()


def candles_of(folder: Path, symbols: str | None, *, quick: bool) -> list[CandleFile]:
    files = [read_csv(path) for path in sorted(folder.glob("*-*.csv*"))]
    chosen = [file for file in files if symbols is None or file.symbol in symbols.split(",")]
    if not chosen:
        sys.exit(f"{folder} holds no file of candles named like BTCUSDT-1h.csv.gz")
    if quick:
        return [file._replace(open_ms=file.open_ms[-3_000:], ohlcv=file.ohlcv[-3_000:]) for file in chosen]
    return chosen


def day(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def main() -> None:
    chosen = parsed()
    report.on_one_native_thread(pinned=False)
    files = candles_of(chosen.folder, chosen.symbols, quick=chosen.quick)
    config = EngineConfig(confidence=0.9, expiry_ms=chosen.retrain_days * DAY_MS)
    walk = Walk(config=config, from_ms=day(chosen.begin), to_ms=day(chosen.end))
    if chosen.quick:
        walk = replace(walk, from_ms=None, to_ms=None)
    found, began = report.Report("forecasts"), time.perf_counter()
    with counting("candles", shown=True) as progress:
        tested = backtesting.backtest(files, walk, chosen.models.split(","), chosen.jobs, progress)
    for row in summarise(backtesting.judge_all(tested)):
        low, high = row["coverageRange"]
        found.rows.append(
            {
                "what": f"{row['model']} {row['horizon']}",
                "series": row["series"],
                "winkler": row["winklerRatio"],
                "worst": row["worstWinklerRatio"],
                "beyond_har": row["beyondHar"],
                "pinball": row["pinballRatio"],
                "coverage": row["coverage"],
                "coverage_low": low,
                "coverage_high": high,
                "worst_hour": row["worstHour"],
                "worst_500": row["worst500"],
                "rmse": row["rmseRatio"],
                "better": row["better"],
            }
        )
        if row["model"] == "lstm" and row["horizon"] in GOALS:
            goal = report.Ratio(row["winklerRatio"], GOALS[row["horizon"]], least=False)
            found.ratios[f"winkler_{row['horizon']}"] = goal
    print(f"{time.perf_counter() - began:.0f} s with {chosen.jobs} processes")
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
