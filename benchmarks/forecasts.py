"""What the forecasts are worth: model by horizon over a folder of candle files, walked forward.

And what they cost: the fit of a year of candles, and a forecast, of one series alone and of many at once.
What the result says of other models is kept, if it was measured in the same way, so that a model can be added
to it alone. Then the table of docs/models.md is made of it.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import report
from costs import Cost, cost_of

from stream_lstm import backtesting
from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.evaluation.backtest import Walk
from stream_lstm.evaluation.summary import summarise
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.terminal.progress import counting

DAY_MS: Final = 86_400_000
MODELS: Final = "lstm,bilstm,attention,transformer,har,garch,naive,hybrid,constant,classic"
GOALS: Final = {"1h": 0.960, "4h": 0.959, "1d": 0.909, "7d": 0.73}
"""Mean Winkler ratios that the default model should reach on seven crypto series, 2020-10 to 2022-10."""
CONFIDENCE: Final = 0.9


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


def protocol_of(files: Sequence[CandleFile], chosen: argparse.Namespace) -> dict[str, Any]:
    """What every row of the result has in common."""
    return {
        "symbols": [file.symbol for file in files],
        "interval": files[0].interval,
        "from": None if chosen.quick else chosen.begin,
        "to": None if chosen.quick else chosen.end,
        "retrain_days": chosen.retrain_days,
        "confidence": CONFIDENCE,
    }


def rows_of(model: str, summary: Sequence[dict[str, Any]], cost: Cost) -> list[report.Row]:
    """A row of the result for every horizon of a model."""
    return [
        {
            "what": f"{model} {row['horizon']}",
            "series": row["series"],
            "forecasts": row["forecasts"],
            "winkler": row["winklerRatio"],
            "worst": row["worstWinklerRatio"],
            "beyond_har": row["beyondHar"],
            "pinball": row["pinballRatio"],
            "skill": row["skill"],
            "coverage": row["coverage"],
            "coverage_low": row["coverageRange"][0],
            "coverage_high": row["coverageRange"][1],
            "worst_hour": row["worstHour"],
            "worst_500": row["worst500"],
            "rmse": row["rmseRatio"],
            "better": row["better"],
            **cost._asdict(),
        }
        for row in summary
        if row["model"] == model
    ]


def kept(path: Path, protocol: dict[str, Any], models: Sequence[str]) -> list[report.Row]:
    """The rows of a former result that are of the same protocol and of other models."""
    if not path.exists():
        return []
    former = json.loads(path.read_text())
    if former.get("protocol") != protocol:
        return []
    return [row for row in former["rows"] if row["what"].split()[0] not in models]


def main() -> None:
    chosen = parsed()
    report.on_one_native_thread(pinned=False)
    files = candles_of(chosen.folder, chosen.symbols, quick=chosen.quick)
    config = EngineConfig(confidence=CONFIDENCE, expiry_ms=chosen.retrain_days * DAY_MS)
    walk = Walk(config=config, from_ms=day(chosen.begin), to_ms=day(chosen.end))
    if chosen.quick:
        walk = replace(walk, from_ms=None, to_ms=None)
    models, began = chosen.models.split(","), time.perf_counter()
    with counting("candles", shown=True) as progress:
        tested = backtesting.backtest(files, walk, models, chosen.jobs, progress)
    summary = summarise(backtesting.judge_all(tested))
    protocol = protocol_of(files, chosen)
    found = report.Report("forecasts", more={"protocol": protocol})
    for model in models:
        found.rows += rows_of(model, summary, cost_of(model, files[0], walk.to_ms))
    found.rows += kept(chosen.json or report.RESULTS / "forecasts.json", protocol, models)
    for row in found.rows:
        model, horizon = str(row["what"]).split()
        if model == "lstm" and horizon in GOALS:
            found.ratios[f"winkler_{horizon}"] = report.Ratio(row["winkler"], GOALS[horizon], least=False)
    print(f"{time.perf_counter() - began:.0f} s with {chosen.jobs} processes")
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
