"""What the linear part gains or loses: pooled, with market factors or indicators, without a group.

The ridge, the level rule, the calibrators and the unit are those of the product; only what is fitted on what
differs. Every fit rests on candles that were over by then, and a score is known when its target has closed.
All series are put on one grid of candles: T candles, S series, P columns, K horizons, V variants.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.evaluation.yardstick import yardstick
from stream_lstm.features import FeatureSet
from stream_lstm.features.groups import GROUPS
from stream_lstm.forecasting.calibration import Calibrators
from stream_lstm.forecasting.indicators import BOLLINGER, Indicators
from stream_lstm.forecasting.scoring import winkler_score
from stream_lstm.models import har
from stream_lstm.models.level import log_scale

Floats = NDArray[np.float64]

HORIZONS: Final = (1, 4, 24, 168)
HISTORY: Final = 8_760
CONFIDENCE: Final = 0.9
WARM_UP: Final = 6_552
"""Candles before the first that is judged, in which models answer and calibrators learn."""
FACTORS: Final = (0, 1, 2, 6, 7, 8, 15)
"""Columns of a series that are told to the others: levels at 1, 3, 8 and 24 candles, last ranges, return."""


class Variant(NamedTuple):
    """What a ridge reads, and whether all series share one."""

    columns: NDArray[np.intp]
    pooled: bool = False


class Grid(NamedTuple):
    """What is known of every series at every candle; NaN where it has none."""

    open_ms: NDArray[np.int64]  # (T,)
    close: Floats  # (T, S)
    columns: Floats  # (T, S, P)
    wanted: Floats  # (T, S, K)
    log_base: Floats  # (T, S)
    log_slow: Floats
    unit: Floats  # (T, S, K) half-widths


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of files named SYMBOL-1h.csv[.gz]")
    parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT,BNBUSDT,XRPUSDT,ADAUSDT,LTCUSDT,LINKUSDT")
    parser.add_argument("--leader", default="BTCUSDT", help="whose columns are a factor beside the mean")
    parser.add_argument("--from", dest="begin", default="2020-10-01", help="first day that is judged")
    parser.add_argument("--to", dest="end", default="2022-10-11", help="end of what is judged")
    parser.add_argument("--retrain-days", type=int, default=28)
    parser.add_argument("--only", help="these variants, with ; between")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def hour(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 3600


def grid_of(files: Sequence[CandleFile], begin: int, end: int, leader: int) -> Grid:
    """All series between two hours since 1970."""
    hours = np.arange(begin, end)
    T, S, K = len(hours), len(files), len(HORIZONS)
    close, base, slow = (np.full((T, S), np.nan) for _ in range(3))
    own = np.full((T, S, FeatureSet.P), np.nan)
    wanted, unit = np.full((T, S, K), np.nan), np.full((T, S, K), np.nan)
    for at, file in enumerate(files):
        candles = file.ohlcv.copy()
        candles[:, :4] /= candles[0, 3]
        seen = FeatureSet().run(FeatureSet().start(), candles.astype(np.float32), file.open_ms, file.step_ms)
        places = file.open_ms // file.step_ms - begin
        rows = np.flatnonzero((places >= 0) & (places < T))
        to = places[rows]
        close[to, at], own[to, at] = file.ohlcv[rows, 3], seen.skip[rows]
        base[to, at], slow[to, at] = seen.log_base[rows], seen.log_slow[rows]
        wanted[to, at] = har.targets(seen, np.zeros(len(candles), np.bool_), HORIZONS)[rows]
        for k, steps in enumerate(HORIZONS):
            unit[to, at, k] = yardstick(file, steps, CONFIDENCE).half_width[rows]
    told = own[:, :, FACTORS]
    market = np.concatenate([told[:, leader], np.nanmean(told, axis=1)], axis=1)  # (T, 2 · factors)
    late = np.concatenate([np.full((1, market.shape[1]), np.nan), market[:-1]])
    factors = np.repeat(np.concatenate([market, late], axis=1)[:, None], S, axis=1)
    columns = [own, factors, indicators_of(close, base)]
    return Grid(hours * 3_600_000, close, np.concatenate(columns, axis=2), wanted, base, slow, unit)


def indicators_of(close: Floats, base: Floats) -> Floats:
    """RSI, MACD, place in the Bollinger band, their sizes, the width of the band, EMA 50: (T, S, 8)."""
    T, S = close.shape
    rows, state = np.arange(S), Indicators()
    state.grow(S)
    found = np.full((T, S, 8), np.nan)
    first = close[np.isfinite(close).argmax(axis=0), rows]
    last, window = first.copy(), np.repeat(first[:, None], BOLLINGER, axis=1)
    for t in range(T):
        last = np.where(np.isfinite(close[t]), close[t], last)
        window[:, :-1], window[:, -1] = window[:, 1:].copy(), last
        state.step(rows, last, corrects=False)
        rsi, macd, _, ema50, upper, lower = state.read(rows, window)
        speed, half = np.exp(base[t]) * last, np.maximum((upper - lower) / 2, 1e-9 * last)
        signed = [rsi / 50 - 1, macd / speed, (last - (upper + lower) / 2) / half]
        wide = np.log(half / speed)
        found[t] = np.stack([*signed, *map(np.abs, signed), wide, (last - ema50) / speed], axis=1)
    return np.clip(found, -30, 30)


def variants() -> dict[str, Variant]:
    """By name; the first is `har`."""
    P, Q = FeatureSet.P, 2 * len(FACTORS)
    own, factors, late, indicators = np.split(np.arange(P + 2 * Q + 8), [P, P + Q, P + 2 * Q])
    with_factors, with_late = np.concatenate([own, factors]), np.concatenate([own, late])
    without = {
        f"har without {name}": Variant(np.setdiff1d(own, group.skip)) for name, group in GROUPS.items()
    }
    clocks = [column for name in ("profile", "hour", "new-york", "weekday") for column in GROUPS[name].skip]
    without["har without profile and clocks"] = Variant(np.setdiff1d(own, clocks))
    return {
        "har": Variant(own),
        "har, pooled": Variant(own, pooled=True),
        "har with factors": Variant(with_factors),
        "har with factors, pooled": Variant(with_factors, pooled=True),
        "har with factors one candle late": Variant(with_late),
        "har with indicators": Variant(np.concatenate([own, indicators])),
        **without,
    }


def scales(grid: Grid, variant: Variant, first: int, every: int) -> Floats:
    """Log scales from candle `first` on, refitted on what is known at each `every` candles: (T, S, K)."""
    T, S = grid.close.shape
    said = np.full((T, S, len(HORIZONS)), np.nan)
    steps = np.array(HORIZONS)
    for now in range(first, T, every):
        past, ahead = slice(max(0, now - HISTORY), now), slice(now, now + every)
        wanted = grid.wanted[past].copy()
        for k, horizon in enumerate(HORIZONS):
            wanted[len(wanted) - horizon :, :, k] = np.nan  # not over yet
        parts = [slice(0, S)] if variant.pooled else [slice(at, at + 1) for at in range(S)]
        for part in parts:
            known = grid.columns[past, part][:, :, variant.columns]
            flat = known.reshape(-1, known.shape[2])
            usable = np.isfinite(flat).all(axis=1)
            y = wanted[:, part].reshape(-1, len(HORIZONS))
            ridge = har.fit_ridge("grid", flat[usable], y[usable])
            new = grid.columns[ahead, part][:, :, variant.columns]
            forecast = np.einsum("tsp,pk->tsk", new, ridge.weights) + ridge.bias
            levels = grid.log_base[ahead, part, None], grid.log_slow[ahead, part, None]
            said[ahead, part] = log_scale(forecast, *levels, steps)
    return said


def half_widths(grid: Grid, log_scales: Floats, first: int) -> Floats:
    """Calibrated half-widths in log price: (T, S, V, K) like the log scales."""
    T, S, V, K = log_scales.shape
    calibrators = Calibrators(K)
    calibrators.grow(S * V)
    for place in range(S * V * K):
        calibrators.begin(place, HORIZONS[place % K])
    places = np.arange(S * V * K).reshape(S * V, K)
    log_close = np.log(grid.close)
    half = np.full(log_scales.shape, np.nan)
    for t in range(first, T):
        scores = np.full((S, V, K), np.nan)
        for k, steps in enumerate(HORIZONS):
            moved = np.abs(log_close[t] - log_close[t - steps])
            scores[:, :, k] = moved[:, None] / np.exp(log_scales[t - steps, :, :, k])
        flat = scores.ravel()
        known = np.flatnonzero(np.isfinite(flat))
        calibrators.update(known, flat[known])
        quantiles = calibrators.quantiles(places, np.array([CONFIDENCE]), calibrators.tail(places))
        now = quantiles[..., 0].reshape(S, V, K) * np.exp(log_scales[t])
        half[t] = np.maximum.accumulate(now, axis=2)
    return half


def ratios(grid: Grid, half: Floats, begin: int) -> Floats:
    """Mean interval score of each variant over that of the unit: (S, V, K)."""
    found = np.full(half.shape[1:], np.nan)
    for k, steps in enumerate(HORIZONS):
        actual = grid.close[begin + steps :] / grid.close[begin:-steps]  # (T', S)
        unit, ours = grid.unit[begin:-steps, :, k], half[begin:-steps, :, :, k]
        for s in range(found.shape[0]):
            known = np.isfinite(actual[:, s]) & np.isfinite(unit[:, s]) & np.isfinite(ours[:, s]).all(axis=1)
            moved = actual[known, s]
            against = winkler_score(np.exp(-unit[known, s]), np.exp(unit[known, s]), moved, CONFIDENCE).mean()
            for v in range(found.shape[1]):
                width = ours[known, s, v]
                score = winkler_score(np.exp(-width), np.exp(width), moved, CONFIDENCE).mean()
                found[s, v, k] = score / against
    return found


def table(names: Sequence[str], found: Floats) -> None:
    """Print the means over S series of ratios (S, V, K), and their distances to the first variant."""
    mean = found.mean(axis=0)
    print(f"{f'Winkler over the unit, mean of {len(found)}':34}       1h      4h      1d      7d")
    for name, row in zip(names, mean, strict=True):
        apart = " ".join(f"{each:+.4f}" for each in row - mean[0])
        print(f"{name:36} " + "  ".join(f"{each:.4f}" for each in row) + f"   {apart}")


def main() -> None:
    chosen = parsed()
    symbols = chosen.symbols.split(",")
    files = [read_csv(next(chosen.folder.glob(f"{symbol}-1h.csv*"))) for symbol in symbols]
    begin, end = hour(chosen.begin), hour(chosen.end)
    start = begin - WARM_UP - HISTORY
    with threadpool_limits(1):
        grid = grid_of(files, start, end, symbols.index(chosen.leader))
        each = {
            name: one for name, one in variants().items() if not chosen.only or name in chosen.only.split(";")
        }
        first = HISTORY
        said = [scales(grid, variant, first, 24 * chosen.retrain_days) for variant in each.values()]
        half = half_widths(grid, np.stack(said, axis=2), first)
        found = ratios(grid, half, begin - start)
    table(list(each), found)
    if chosen.json is not None:
        rows = {name: dict(zip(symbols, found[:, v].tolist(), strict=True)) for v, name in enumerate(each)}
        chosen.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
