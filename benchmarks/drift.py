"""How often a drift is seen where there is none, how late one that is there; how often good models fall.

The engine that runs live, `har` retrained weekly, on GARCH(1,1)-t candles. False alarms and demotions: a
null without any break. Delays: a break of every series at one candle. The thresholds were chosen on seeds 101
(the null) and 201 (twice the volatility), which are not used here.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import garch
import numpy as np
import report

from stream_lstm.candles.moments import Moment
from stream_lstm.candles.series import SeriesKey
from stream_lstm.forecasting.config import DriftConfig, EngineConfig
from stream_lstm.forecasting.drift_watch import DRIFT
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import TrainingRequest
from stream_lstm.forecasting.standing import DEMOTED
from stream_lstm.models.model import Model
from stream_lstm.models.registry import fit

DETECTORS: Final = ("page_hinkley", "adwin")
WARM: Final = 2_000
"""Candles before the first model."""
SETTLED: Final = WARM + 500
"""Candle from which on events count, and at which a break comes."""
MONTH: Final = 720.0
STACK: Final = 16
WEEK_MS: Final = 7 * 86_400_000
SERIES: Final = 64
CANDLES: Final = 1_500
BROKEN: Final = 48
"""Series with a break."""
SEED: Final = 301
BOTH: Final = "both"
BREAKS: Final = {
    "volatility x 2": partial(garch.Break, volatility=2.0),
    "volatility x 1/2": partial(garch.Break, volatility=0.5),
    "errors x 2, ranges as before": partial(garch.Break, gap=3.0**0.5),
    "tail of 5 to 2.5 degrees of freedom": partial(garch.Break, tail=2.5),
}


@dataclass
class Found:
    """What was said, by candles since `SETTLED`."""

    candles: int = 0
    drifts: dict[tuple[SeriesKey, str], list[int]] = field(default_factory=dict)
    """By series and detector."""
    demoted: int = 0

    def of(self, detector: str) -> list[list[int]]:
        """The candles of each series at which a detector alone would have said a drift."""
        return [quieted(at) for (_, name), at in self.drifts.items() if name == detector]

    def together(self) -> list[list[int]]:
        """Those at which a drift is said with both."""
        merged: dict[SeriesKey, list[int]] = {}
        for (key, _), at in self.drifts.items():
            merged.setdefault(key, []).extend(at)
        return [quieted(sorted(at)) for at in merged.values()]


def quieted(found: Sequence[int]) -> list[int]:
    """Candles in ascending order, without those that the cooldown of an earlier one keeps quiet."""
    said: list[int] = []
    for at in found:
        if not said or at >= said[-1] + DriftConfig().cooldown:
            said.append(at)
    return said


CONFIG: Final = EngineConfig(
    model="har",
    horizons=("1h", "4h", "1d"),
    history_candles=WARM,
    warm_up=WARM,
    expiry_ms=WEEK_MS,
    drift=replace(DriftConfig(), cooldown=0),  # so that neither detector keeps the other quiet
)


def walk(market: Iterator[Moment]) -> Found:
    """All that an engine says after `SETTLED`; a training that is due is done at once."""
    engine, found, at = Engine(CONFIG), Found(), 0
    for at, moment in enumerate(market):
        live = at >= SETTLED
        admitted = [engine.admit(0, candle, None, live=live, asks=True) for candle in moment]
        for outputs in engine.advance(0).values():
            for event in outputs.events:
                if event.type == DRIFT:
                    place = (event.series, event.data["detector"])
                    found.drifts.setdefault(place, []).append(at - SETTLED)
                found.demoted += event.type == DEMOTED
        train(engine, [request for one in admitted for request in one.requests])
    found.candles = at + 1 - SETTLED
    return found


def train(engine: Engine, requests: Sequence[TrainingRequest]) -> None:
    for first in range(0, len(requests), STACK):
        keys = [request.series for request in requests[first : first + STACK]]
        sets = [engine.training_set(key) for key in keys]
        for key, outcome in zip(keys, fit("har", [one for one in sets if one is not None]), strict=True):
            assert isinstance(outcome, Model)
            engine.install(key, outcome)


def alarms(found: list[list[int]], series: int, candles: int) -> tuple[float, float]:
    """Per 1,000 candles of a series, and the standard error over independent series."""
    counts = np.array([len(each) for each in found] + [0] * (series - len(found))) * 1_000 / candles
    return float(counts.mean()), float(counts.std(ddof=1)) / series**0.5


def null(name: str, market: Iterator[Moment], series: int) -> tuple[list[report.Row], dict[str, float]]:
    """False alarms, and demotions of good models."""
    found, rows, rates = walk(market), [], {}
    for detector in (*DETECTORS, BOTH):
        of = found.together() if detector == BOTH else found.of(detector)
        rates[detector], error = alarms(of, series, found.candles)
        row: report.Row = {"what": name, "detector": detector, "series": series, "candles": found.candles}
        rows.append(row | {"alarms_per_1000_candles": rates[detector], "standard_error": error})
    months = series * found.candles / MONTH
    rows.append({"what": name, "series_months": months, "demotions": found.demoted})
    rates["demotions"] = 1_000 * found.demoted / months
    return rows, rates


def delays(name: str, change: garch.Break, series: int) -> list[report.Row]:
    """From a break to the first drift that is said."""
    found, rows = walk(garch.market(series, SETTLED + 500, SEED + 1, change)), []
    for detector in (*DETECTORS, BOTH):
        of = found.together() if detector == BOTH else found.of(detector)
        first = np.array([each[0] for each in of])
        row: report.Row = {"what": name, "detector": detector, "series": series}
        row |= {f"found_within_{most}": float((first < most).sum()) / series for most in (25, 100, 500)}
        soon = first[first < 100]
        row["median_delay_if_within_100"] = float(np.median(soon)) if len(soon) else None
        rows.append(row)
    return rows


def main() -> None:
    chosen = report.arguments("False alarms and delays of the drift detectors; demotions of good models.")
    report.on_one_native_thread(pinned=False)
    series, candles = (8, 200) if chosen.quick else (SERIES, CANDLES)
    found = report.Report("drift")
    rows, rates = null("null: GARCH-t", garch.market(series, SETTLED + candles, SEED), series)
    found.rows += rows
    print(rows, file=sys.stderr, flush=True)
    for detector in (*DETECTORS, BOTH):
        found.ratios[f"{detector}_alarms"] = report.Ratio(rates[detector], 0.5, least=False)
    found.ratios["demotions_per_1000_months"] = report.Ratio(rates["demotions"], 1.0, least=False)
    for name, change in BREAKS.items():
        found.rows += delays(name, change(at=SETTLED), min(series, BROKEN))
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
