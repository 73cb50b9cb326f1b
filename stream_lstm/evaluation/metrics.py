"""What the forecasts of one series and horizon were worth, beside the random walk and the unit."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.files import CandleFile
from stream_lstm.evaluation.reference import ewma_volatility, target_rows, unit_half_width
from stream_lstm.evaluation.significance import Verdict, diebold_mariano
from stream_lstm.evaluation.track import Track
from stream_lstm.forecasting.scoring import winkler_score

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

STRETCH: Final = 500
"""Forecasts in a row of which the worst coverage is told."""
_HOUR_MS: Final = 3_600_000
_FEWEST: Final = 50


class Coverage(NamedTuple):
    """Share of outcomes inside the interval: in all, and where it is worst."""

    overall: float
    by_hour: dict[int, float]
    """By the hour of day, UTC, in which the first candle of the horizon opens."""
    by_volatility: tuple[float, float, float]
    """In calm, ordinary and turbulent thirds, by the unit's σ."""
    worst_stretch: float | None
    """Of 500 forecasts in a row; None where there are fewer."""


class Worth(NamedTuple):
    """N judged forecasts. Ratios are to the random walk, or to the unit; below 1 is better."""

    forecasts: int
    answered: float
    """Judged forecasts per candle between the first and the last."""
    rmse_ratio: float
    """Of log errors."""
    mae_ratio: float
    mape: float
    winkler_ratio: float
    """Mean interval score over that of the unit, both in units of the last close."""
    coverage: Coverage
    width: float
    """Mean width of the interval, as a fraction of the last close."""
    better: Verdict | None
    """Diebold–Mariano on the interval score, against the unit."""


class _Judged(NamedTuple):
    """The forecasts that can be judged: origin and target rows, and what was said."""

    origin: Index
    actual: Floats
    close: Floats
    predicted: Floats
    lower: Floats
    upper: Floats
    unit: Floats
    """Half-width of the unit, in log price."""


def judge(track: Track, candles: CandleFile) -> Worth | None:
    """The worth of a track, given the candles of its series; None below 50 forecasts that can be judged.

    A forecast is judged if its target candle is in the file by the clock and the unit is known at its origin.
    """
    close = candles.ohlcv[:, 3]
    volatility = ewma_volatility(close)
    judged = _judged(track, candles, volatility)
    count = len(judged.origin)
    if count < _FEWEST:
        return None
    error = np.log(judged.actual / judged.predicted)
    moved = np.log(judged.actual / judged.close)
    ours, unit = _interval_scores(judged, track.confidence)
    inside = (judged.actual >= judged.lower) & (judged.actual <= judged.upper)
    return Worth(
        forecasts=count,
        answered=count / int(judged.origin[-1] - judged.origin[0] + 1),
        rmse_ratio=float(np.sqrt((error @ error) / (moved @ moved))),
        mae_ratio=float(np.abs(error).mean() / np.abs(moved).mean()),
        mape=float(np.abs(judged.predicted / judged.actual - 1).mean()),
        winkler_ratio=float(ours.mean() / unit.mean()),
        coverage=_coverage(inside, candles, judged.origin, volatility),
        width=float(((judged.upper - judged.lower) / judged.close).mean()),
        better=diebold_mariano((ours - unit) / unit.mean(), track.steps),
    )


def _judged(track: Track, candles: CandleFile, volatility: Floats) -> _Judged:
    close, step_ms = candles.ohlcv[:, 3], candles.step_ms
    targets = target_rows(candles.open_ms, step_ms, track.steps)
    unit = unit_half_width(volatility, close, targets, track.confidence)
    origin = np.searchsorted(candles.open_ms, track.as_of + 1 - step_ms)
    use = (targets[origin] >= 0) & np.isfinite(unit[origin])
    origin = origin[use]
    return _Judged(
        origin,
        close[targets[origin]],
        close[origin],
        track.predicted[use],
        track.lower[use],
        track.upper[use],
        unit[origin],
    )


def _interval_scores(judged: _Judged, confidence: float) -> tuple[Floats, Floats]:
    """Of the forecasts and of the unit, in units of the last close: (N,) each."""
    actual = judged.actual / judged.close
    ours = winkler_score(judged.lower / judged.close, judged.upper / judged.close, actual, confidence)
    unit = winkler_score(np.exp(-judged.unit), np.exp(judged.unit), actual, confidence)
    return ours, unit


def _coverage(inside: NDArray[np.bool_], candles: CandleFile, origin: Index, volatility: Floats) -> Coverage:
    hours = (candles.open_ms[origin] + candles.step_ms) // _HOUR_MS % 24
    by_hour = {int(hour): float(inside[hours == hour].mean()) for hour in np.unique(hours)}
    known = volatility[origin]
    thirds = np.searchsorted(np.quantile(known, [1 / 3, 2 / 3]), known)
    calm, ordinary, turbulent = (_mean(inside[thirds == third]) for third in range(3))
    return Coverage(float(inside.mean()), by_hour, (calm, ordinary, turbulent), _worst_stretch(inside))


def _mean(inside: NDArray[np.bool_]) -> float:
    return float(inside.mean()) if len(inside) else float("nan")


def _worst_stretch(inside: NDArray[np.bool_]) -> float | None:
    if len(inside) < STRETCH:
        return None
    sums = np.cumsum(np.concatenate([[0], inside]))
    return float((sums[STRETCH:] - sums[:-STRETCH]).min() / STRETCH)
