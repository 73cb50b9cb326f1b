"""What experiments decide about planted challengers, 200 markets each, and after how many candles.

`simulated`: returns of a GARCH(1, 1) with Student-t shocks of 5 degrees of freedom. A forecaster knows the
deviation of the next return but for a random error of its logarithm, and publishes the interval that covers
95% given that. Errors of deviation 0.4 against 0.2 and the like plant what is better, equal and worse; a
challenger that knows all and is 25% too narrow is worse too. What decides is the product's own code.

`engine`: `har` whose widths are blurred by a random error, against itself without, on synthetic markets,
through the whole engine, trained and calibrated.
"""

import time
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
import report
from numpy.typing import NDArray
from planted import TYPES

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.forecasting.betting import Capitals, edge
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.experiments import RESULT
from stream_lstm.forecasting.scoring import winkler_score
from stream_lstm.forecasting.trial import Plan, Trial
from stream_lstm.models.registry import MODEL_TYPES, fit

HOUR: Final = 3_600_000
BEFORE: Final = 300
"""Candles of a market before its experiment."""
MOST: Final = 2_000
ALPHA: Final = 0.05
CONFIDENCE: Final = 0.95
Floats = NDArray[np.float64]


class Side(NamedTuple):
    """A simulated forecaster."""

    error: float
    """Deviation of the log of its width."""
    width: float = 1.0
    """Times the right one."""


SIMULATED: Final = {
    "much better": (Side(0.4), Side(0.0)),
    "better": (Side(0.4), Side(0.2)),
    "a little better": (Side(0.2), Side(0.0)),
    "equal": (Side(0.3), Side(0.3)),
    "equal and good": (Side(0.05), Side(0.05)),
    "a little worse": (Side(0.0), Side(0.2)),
    "worse": (Side(0.2), Side(0.4)),
    "too narrow": (Side(0.0), Side(0.0, 0.75)),
}
IN_THE_ENGINE: Final = {
    "better": ("blurred", "sharp"),
    "equal": ("blurred", "blurred too"),
    "worse": ("sharp", "blurred"),
}


class Ended(NamedTuple):
    """One experiment."""

    outcome: str
    candles: int
    gain: float
    """How much lower the challenger's mean Winkler score was, as a fraction of the champion's."""


def shocks(rng: np.random.Generator, series: int, count: int) -> tuple[Floats, Floats]:
    """Returns and their deviations given the past: (S, T) each."""
    drawn = rng.standard_t(5, (count, series)) * np.sqrt(3 / 5)
    deviation, returns, variance = np.empty((count, series)), np.empty((count, series)), np.ones(series)
    for at in range(count):
        deviation[at] = np.sqrt(variance)
        returns[at] = deviation[at] * drawn[at]
        variance = 0.03 + 0.07 * returns[at] ** 2 + 0.9 * variance
    return returns.T, deviation.T


def quantile(rng: np.random.Generator, side: Side) -> float:
    """Of |return| / the width that a side thinks of, so that its intervals cover what is asked for."""
    errors = np.exp(side.error * rng.standard_normal(1_000_000))
    drawn = np.abs(rng.standard_t(5, 1_000_000)) * np.sqrt(3 / 5)
    return float(np.quantile(drawn / errors, CONFIDENCE)) * side.width


def simulated(sides: tuple[Side, Side], series: int, most: int) -> list[Ended]:
    """Every market's experiment, looked at after each candle."""
    rng = np.random.default_rng(1)
    returns, deviation = shocks(rng, series, most)
    halves = [
        quantile(rng, side) * deviation * np.exp(side.error * rng.standard_normal(deviation.shape))
        for side in sides
    ]
    capitals, losses = Capitals(1), np.zeros((2, series))
    capitals.grow(series)
    trials = [Trial(Plan("bench", "", ALPHA, most), "", 0, at) for at in range(series)]
    ended: dict[int, Ended] = {}
    for at in range(most):
        rows = np.array([row for row in range(series) if row not in ended], np.intp)
        if not len(rows):
            break
        champion, challenger = ((-half[rows, at], half[rows, at]) for half in halves)
        actual = returns[rows, at]
        for side, bounds in enumerate((champion, challenger)):
            losses[side, rows] += winkler_score(*bounds, actual, CONFIDENCE)
        zero = np.zeros(len(rows), np.intp)
        capitals.update(rows, zero, edge(champion, challenger, actual, CONFIDENCE))
        for row, evidence in zip(rows.tolist(), capitals.evidence(rows), strict=True):
            trials[row].candles += 1
            outcome = trials[row].outcome(evidence, pairs=at + 1, has_model=True)
            if outcome is not None:
                ended[row] = Ended(outcome, at + 1, 1 - losses[1, row] / losses[0, row])
    return list(ended.values())


def candles(seed: int, count: int) -> list[Closed]:
    key = SeriesKey("synthetic", f"S{seed}", "1h")
    opens, bars = market(["S"], step_ms=HOUR, start_ms=0, candles=count, seed=seed)["S"]
    return [Closed(key, HOUR, *row) for row in zip(opens.tolist(), *bars.T.tolist(), strict=True)]


def begun(champion: str, challenger: str, markets: list[list[Closed]], most: int) -> Engine:
    """An engine whose series have a model and an experiment each."""
    engine = Engine(EngineConfig(model=champion, horizons=("1h",), expiry_ms=100 * 365 * 24 * HOUR))
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


def in_the_engine(champion: str, challenger: str, markets: list[list[Closed]]) -> list[Ended]:
    """Every market's experiment, from the engine's own events."""
    most = len(markets[0]) - BEFORE
    engine, results, running = begun(champion, challenger, markets, most), dict[Any, Any](), markets
    for at in range(BEFORE, BEFORE + most):
        running = [rows for rows in running if rows[0].series not in results]
        for rows in running:
            engine.admit("p", rows[at], None, live=True)
        for said in engine.advance(0).values():
            results |= {event.series: event.data for event in said.events if event.type == RESULT}
    firsts = [(one, one["horizons"][0]) for one in results.values()]
    return [
        Ended(one["outcome"], one["candles"], 1 - first["challengerWinkler"] / first["winkler"])
        for one, first in firsts
    ]


def row(name: str, champion: str, challenger: str, ended: list[Ended]) -> report.Row:
    """What came of many experiments."""
    by = {
        outcome: [one.candles for one in ended if one.outcome == outcome]
        for outcome in ("promoted", "rejected", "undecided")
    }
    return {
        "what": name,
        "champion": champion,
        "challenger": challenger,
        "markets": len(ended),
        "gain": median(one.gain for one in ended),
        **{outcome: len(candles) / len(ended) for outcome, candles in by.items()},
        "candles_to_promotion": median(by["promoted"]) if by["promoted"] else None,
        "candles_to_rejection": median(by["rejected"]) if by["rejected"] else None,
    }


def main() -> None:
    chosen = report.arguments("What experiments decide about planted challengers, and how soon.")
    report.on_one_native_thread(pinned=False)
    MODEL_TYPES.update(TYPES)
    found = report.Report("experiments")
    series, most = (8, 50) if chosen.quick else (200, MOST)
    for name, sides in SIMULATED.items():
        told = [
            f"error {side.error:g}" + (f", width {side.width:g}" if side.width != 1 else "") for side in sides
        ]
        found.rows.append(row(name, *told, simulated(sides, series, most)))
    count = BEFORE + (50 if chosen.quick else MOST // 2)
    markets = [candles(seed, count) for seed in range(1, (4 if chosen.quick else 200) + 1)]
    for name, (champion, challenger) in IN_THE_ENGINE.items():
        began = time.perf_counter()
        ended = in_the_engine(champion, challenger, markets)
        found.rows.append(row(f"{name}, in the engine", champion, challenger, ended))
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    for one in found.rows:
        if str(one["what"]).startswith("equal"):
            promoted = float(one["promoted"] or 0)
            found.ratios[f"promoted_{one['what']}".replace(", ", "_").replace(" ", "_")] = report.Ratio(
                promoted, ALPHA, least=False
            )
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
