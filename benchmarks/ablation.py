"""Models without a group of features, and ensembles: fits and forecasts of the product, without its loop.

The engine asks one candle after another; here a model is asked for all candles up to its next fit at once,
and the calibrators then see the scores in their order. So a year of twelve models costs minutes. N candles of
a series, V variants, K horizons.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from ridges import CONFIDENCE, HISTORY, HORIZONS, hour, table
from threadpoolctl import threadpool_limits

from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.evaluation.yardstick import Yardstick, yardstick
from stream_lstm.features import Features, FeatureSet
from stream_lstm.features.groups import ALL
from stream_lstm.forecasting.calibration import Calibrators
from stream_lstm.forecasting.scoring import winkler_score
from stream_lstm.models import attention, lstm
from stream_lstm.models.ensemble import Ensemble, type_of
from stream_lstm.models.market_view import MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.registry import MODEL_TYPES
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]

WINDOW: Final = 20
LEAD: Final = 28 * 24
"""Candles before the first that is judged, in which models answer and calibrators learn."""
MIXED: Final = Ensemble("mixed", (lstm.NETWORK, attention.NETWORK), seeds=1, ridges=1)
TYPES: Final = MODEL_TYPES | {MIXED.name: type_of(MIXED)}


class Variant(NamedTuple):
    """A model type, and the groups of features that it reads."""

    model: str
    features: tuple[str, ...] = ALL


class Market(NamedTuple):
    """What one series has shown, candle by candle."""

    file: CandleFile
    ratios: NDArray[np.float32]  # (N, 5)
    seen: Features
    states: dict[int, Floats]
    """Feature state before the candles at which histories begin."""

    def training_set(self, now: int, features: tuple[str, ...]) -> TrainingSet:
        """The history before candle `now`."""
        begin = max(0, now - HISTORY)
        return TrainingSet(
            series=self.file.symbol,
            step_ms=self.file.step_ms,
            candles=self.ratios[begin:now],
            open_ms=self.file.open_ms[begin:now],
            synthetic=np.zeros(now - begin, np.bool_),
            state=self.states[begin],
            reference=float(self.file.ohlcv[0, 3]),
            horizons=HORIZONS,
            seed=7,
            features=features,
        )

    def view(self, rows: NDArray[np.intp]) -> MarketView:
        """What a live model is given at the close of each of these candles."""
        inputs = sliding_window_view(self.seen.inputs, WINDOW, axis=0).transpose(0, 2, 1)
        closes = sliding_window_view(self.ratios[:, 3].astype(np.float64), WINDOW)
        return MarketView(
            skip=self.seen.skip[rows],
            window=inputs[rows - WINDOW + 1],
            closes=closes[rows - WINDOW + 1],
            log_base=self.seen.log_base[rows],
            log_slow=self.seen.log_slow[rows],
            log_ewma=self.seen.log_sigma[rows],
            steps=np.tile(np.array(HORIZONS), (len(rows), 1)),
        )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of files named SYMBOL-1h.csv[.gz]")
    parser.add_argument("--symbols", default="BTCUSDT,XRPUSDT,LINKUSDT")
    parser.add_argument("--models", default="lstm,har,ensemble,mixed", help=", ".join(TYPES))
    parser.add_argument("--without", default=",".join(ALL), help="groups, each left out of the first model")
    parser.add_argument("--from", dest="begin", default="2021-10-11", help="first day that is judged")
    parser.add_argument("--to", dest="end", default="2022-10-11", help="end of what is judged")
    parser.add_argument("--retrain-days", type=int, default=91)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def variants(models: str, without: str) -> dict[str, Variant]:
    """By name; the first is what the others are compared to."""
    first, *others = models.split(",")
    less = {
        f"{first} without {left}": Variant(first, tuple(name for name in ALL if name != left))
        for left in without.split(",")
        if left
    }
    return {first: Variant(first), **less, **{name: Variant(name) for name in others}}


def market_of(file: CandleFile, begins: set[int]) -> Market:
    """Features of the whole file, and the states at the beginning of histories, by the live step."""
    ratios = file.ohlcv.copy()
    ratios[:, :4] /= ratios[0, 3]
    candles, features, step_ms = ratios.astype(np.float32), FeatureSet(), np.array([file.step_ms])
    state, states = features.start()[None], {}
    for row in range(max(begins) + 1):
        if row in begins:
            states[row] = state[0].copy()
        features.step(state, candles[row : row + 1], file.open_ms[row : row + 1], step_ms)
    seen = features.run(features.start(), candles, file.open_ms, file.step_ms)
    return Market(file, candles, seen, states)


def answers(
    market: Market, chosen: list[Variant], fits: range, end: int
) -> Iterator[tuple[int, int, Model, Floats]]:
    """For every fit and variant: the candle of the fit, the variant, its model, log scales up to the next."""
    for now in fits:
        rows = np.arange(now, min(now + fits.step, end))
        view = market.view(rows)
        for at, variant in enumerate(chosen):
            (model,) = TYPES[variant.model].fit([market.training_set(now, variant.features)])
            if not isinstance(model, Model):
                raise model
            live = TYPES[variant.model].live(model)
            live.grow(1)
            live.put(0, model)
            yield now, at, model, live.forecast(np.zeros(len(rows), np.intp), view).log_scale


def half_widths(
    market: Market, chosen: list[Variant], fits: range, end: int, units: list[Yardstick]
) -> Floats:
    """Calibrated half-widths in log price: (N, V, K). Calibrators begin with the first model's own scores."""
    V, K = len(chosen), len(HORIZONS)
    places = np.arange(V * K).reshape(V, K)
    calibrators = Calibrators(K)
    calibrators.grow(V)
    said = np.full((len(market.ratios), V, K), np.nan)
    for now, at, model, scales in answers(market, chosen, fits, end):
        said[now : now + len(scales), at] = scales
        if now == fits.start:
            for k, steps in enumerate(HORIZONS):
                calibrators.begin(places[at, k], steps)
                if len(scores := model.warm_scores(k)):
                    calibrators.replace(places[at, k], scores)
    log_close, half = np.log(market.file.ohlcv[:, 3]), np.full(said.shape, np.nan)
    origins = [_origins(unit) for unit in units]
    for t in range(fits.start, end):
        scores = np.full((V, K), np.nan)
        for k, origin in enumerate(origins):
            if (o := origin.get(t)) is not None:
                scores[:, k] = np.abs(log_close[t] - log_close[o]) / np.exp(said[o, :, k])
        known = np.flatnonzero(np.isfinite(scores))
        calibrators.update(known, scores.ravel()[known])
        quantiles = calibrators.quantiles(places, np.array([CONFIDENCE]), calibrators.tail(places))
        half[t] = np.maximum.accumulate(quantiles[..., 0] * np.exp(said[t]), axis=1)
    return half


def _origins(unit: Yardstick) -> dict[int, int]:
    """The candle of the forecast whose target a candle is."""
    return {int(target): origin for origin, target in enumerate(unit.targets) if target >= 0}


def ratios(market: Market, half: Floats, begin: int, end: int, units: list[Yardstick]) -> Floats:
    """Mean interval score of each variant over that of the unit: (V, K)."""
    found, close = np.full(half.shape[1:], np.nan), market.file.ohlcv[:, 3]
    for k, unit in enumerate(units):
        rows = np.arange(begin, end)
        rows = rows[(unit.targets[rows] >= 0) & np.isfinite(unit.half_width[rows])]
        actual = close[unit.targets[rows]] / close[rows]
        for v in range(len(found)):
            found[v, k] = _score(half[rows, v, k], actual) / _score(unit.half_width[rows], actual)
    return found


def _score(half: Floats, actual: Floats) -> float:
    return float(winkler_score(np.exp(-half), np.exp(half), actual, CONFIDENCE).mean())


def main() -> None:
    chosen = parsed()
    each, symbols = variants(chosen.models, chosen.without), chosen.symbols.split(",")
    found: dict[str, Any] = {}
    with threadpool_limits(1):
        for symbol in symbols:
            file = read_csv(next(chosen.folder.glob(f"{symbol}-1h.csv*")))
            begin, end = (
                int(np.searchsorted(file.open_ms, hour(day) * 3_600_000))
                for day in (chosen.begin, chosen.end)
            )
            fits = range(begin - LEAD, end, 24 * chosen.retrain_days)
            market = market_of(file, {max(0, now - HISTORY) for now in fits})
            units = [yardstick(file, steps, CONFIDENCE) for steps in HORIZONS]
            half = half_widths(market, [*each.values()], fits, end, units)
            found[symbol] = ratios(market, half, begin, end, units)
    table(list(each), np.stack([found[symbol] for symbol in symbols]))
    if chosen.json is not None:
        chosen.json.write_text(
            json.dumps({name: one.tolist() for name, one in found.items()}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
