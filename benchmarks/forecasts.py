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
from collections.abc import Mapping, Sequence
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
    parser.add_argument(
        "--only-costs", action="store_true", help="measure again what the models cost, no more"
    )
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


def protocol_of(chosen: argparse.Namespace, interval: str) -> dict[str, Any]:
    """What every row of the result has in common."""
    return {
        "interval": interval,
        "from": None if chosen.quick else chosen.begin,
        "to": None if chosen.quick else chosen.end,
        "retrain_days": chosen.retrain_days,
        "confidence": CONFIDENCE,
    }


def rows_of(symbols: str, summary: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row of the result for every model and horizon."""
    return [
        {
            "what": f"{row['model']} {row['horizon']}",
            "symbols": symbols,
            "winkler": row["winklerRatio"],
            "worst": row["worstWinklerRatio"],
            "pinball": row["pinballRatio"],
            "skill": row["skill"],
            "coverage": row["coverage"],
            "coverage_low": row["coverageRange"][0],
            "coverage_high": row["coverageRange"][1],
            "worst_hour": row["worstHour"],
            "worst_500": row["worst500"],
            "rmse": row["rmseRatio"],
            "better": row["better"],
        }
        for row in summary
    ]


def of_model(row: dict[str, Any], costs: Mapping[str, Cost]) -> dict[str, float]:
    """What the model of a row costs; nothing if that was not measured."""
    model = row["what"].split()[0]
    return costs[model]._asdict() if model in costs else {}


def former_rows(path: Path, protocol: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a former result, if it is of the same protocol."""
    former = json.loads(path.read_text()) if path.exists() else {}
    return former["rows"] if former.get("protocol") == protocol else []


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Most series first, models in the order of `MODELS`, each beside `har` on the same series."""
    known = MODELS.split(",")
    linear = {(row["symbols"], row["what"]): row["winkler"] for row in rows}
    for row in rows:
        of_har = linear.get((row["symbols"], f"har {str(row['what']).split()[1]}"))
        row["beyond_har"] = None if of_har is None else row["winkler"] - of_har
    place = {name: at for at, name in enumerate(known)}
    return sorted(
        rows,
        key=lambda row: (
            -len(row["symbols"].split()),
            row["symbols"],
            place.get(row["what"].split()[0], len(known)),
        ),
    )


def main() -> None:
    chosen = parsed()
    report.on_one_native_thread(pinned=False)
    files = candles_of(chosen.folder, chosen.symbols, quick=chosen.quick)
    config = EngineConfig(confidence=CONFIDENCE, expiry_ms=chosen.retrain_days * DAY_MS)
    walk = Walk(config=config, from_ms=day(chosen.begin), to_ms=day(chosen.end))
    if chosen.quick:
        walk = replace(walk, from_ms=None, to_ms=None)
    models, began = chosen.models.split(","), time.perf_counter()
    protocol = protocol_of(chosen, files[0].interval)
    former = former_rows(chosen.json or report.RESULTS / "forecasts.json", protocol)
    costs = {model: cost_of(model, files[0], walk.to_ms) for model in models}
    if chosen.only_costs:
        rows = [row | of_model(row, costs) for row in former]
    else:
        symbols = " ".join(sorted({file.symbol for file in files}))
        with counting("candles", shown=True) as progress:
            tested = backtesting.backtest(files, walk, models, chosen.jobs, progress)
        summary = summarise(backtesting.judge_all(tested))
        measured = [row | of_model(row, costs) for row in rows_of(symbols, summary)]
        again = {(row["what"], row["symbols"]) for row in measured}
        rows = measured + [row for row in former if (row["what"], row["symbols"]) not in again]
    found = report.Report("forecasts", in_order(rows), more={"protocol": protocol})
    for row in reversed(found.rows):
        model, horizon = str(row["what"]).split()
        if model == "lstm" and horizon in GOALS:
            found.ratios[f"winkler_{horizon}"] = report.Ratio(row["winkler"], GOALS[horizon], least=False)
    print(f"{time.perf_counter() - began:.0f} s with {chosen.jobs} processes")
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
