"""What the forecasts of one series and horizon were worth, beside the random walk and the unit."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.coverage import Coverage, coverage_of
from stream_lstm.evaluation.losses import pinball
from stream_lstm.evaluation.significance import Between, Verdict, diebold_mariano, ratios_by_chance
from stream_lstm.evaluation.track import Track
from stream_lstm.evaluation.yardstick import Yardstick
from stream_lstm.forecasting.scoring import winkler_score

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_HOUR_MS: Final = 3_600_000
_FEWEST: Final = 50


class Worth(NamedTuple):
    """N judged forecasts. Ratios are to the random walk, or to the unit; below 1 is better."""

    forecasts: int
    answered: float
    """Judged forecasts per candle between the first and the last."""
    rmse_ratio: float
    """Of log errors, like the next."""
    mae_ratio: float
    mape: float
    """Mean of |predicted / actual − 1|."""
    mape_ratio: float
    skill: Between
    """1 − RMSE ratio, and where it lies in nine of ten resamplings."""
    winkler_ratio: float
    """Mean interval score over that of the unit, both in units of the last close."""
    interval_skill: Between
    """1 − Winkler ratio, likewise."""
    pinball_ratio: float
    """Mean pinball loss over the quantiles at 5, 10, … 95%, over that of the unit."""
    coverage: Coverage
    width: float
    """Mean width of the interval, as a fraction of the last close."""
    better: Verdict | None
    """Diebold–Mariano on the interval score, against the unit."""


class Scored(NamedTuple):
    """The N forecasts of a track that can be judged: target in the file, unit known at the origin."""

    origin: Index
    """Row of the last candle that was known."""
    at: Index
    """Place in the track."""
    actual: Floats
    """Close of the target, over the last close."""


def judge(track: Track, measure: Yardstick) -> Worth | None:
    """The worth of a track by the yardstick of its series; None below 50 forecasts that can be judged.

    A forecast is judged if its target candle is in the file by the clock and the unit is known at its origin.
    """
    judged = scored(track, measure)
    if len(judged.at) < _FEWEST:
        return None
    close, origin, at = track.last_close[judged.at], judged.origin, judged.at
    predicted, lower, upper = (price[at] / close for price in (track.predicted, track.lower, track.upper))
    error, moved = np.log(judged.actual / predicted), np.log(judged.actual)
    mape, walk_mape = (float(np.abs(said / judged.actual - 1).mean()) for said in (predicted, 1.0))
    ours, unit = interval_scores(track, judged, measure)
    pinball_ours, pinball_unit = pinball_losses(track, judged, measure)
    inside = (judged.actual >= lower) & (judged.actual <= upper)
    hours = (measure.candles.open_ms[origin] + measure.candles.step_ms) // _HOUR_MS % 24
    squared = ratios_by_chance(error**2, moved**2, measure.steps)
    rmse_ratio, winkler_ratio = _rmse(error) / _rmse(moved), float(ours.mean() / unit.mean())
    return Worth(
        forecasts=len(at),
        answered=len(at) / int(origin[-1] - origin[0] + 1),
        rmse_ratio=rmse_ratio,
        mae_ratio=float(np.abs(error).mean() / np.abs(moved).mean()),
        mape=mape,
        mape_ratio=mape / walk_mape,
        skill=Between.of(1 - rmse_ratio, 1 - np.sqrt(squared)),
        winkler_ratio=winkler_ratio,
        interval_skill=Between.of(1 - winkler_ratio, 1 - ratios_by_chance(ours, unit, measure.steps)),
        pinball_ratio=float(pinball_ours.mean() / pinball_unit.mean()),
        coverage=coverage_of(inside, hours, measure.volatility[origin]),
        width=float((upper - lower).mean()),
        better=diebold_mariano((ours - unit) / unit.mean(), measure.steps),
    )


def scored(track: Track, measure: Yardstick) -> Scored:
    """What can be judged of a track by the yardstick of its series."""
    candles = measure.candles
    origin = np.searchsorted(candles.open_ms, track.as_of + 1 - candles.step_ms)
    at = np.flatnonzero((measure.targets[origin] >= 0) & np.isfinite(measure.half_width[origin]))
    origin = origin[at]
    actual = candles.ohlcv[measure.targets[origin], 3] / candles.ohlcv[origin, 3]
    return Scored(origin, at, actual)


def _rmse(error: Floats) -> float:
    return float(np.sqrt(error @ error / len(error)))


def interval_scores(track: Track, judged: Scored, measure: Yardstick) -> tuple[Floats, Floats]:
    """Winkler's score of the forecasts and of the unit, in units of the last close: (N,) each."""
    close, half = track.last_close[judged.at], measure.half_width[judged.origin]
    lower, upper = (price[judged.at] / close for price in (track.lower, track.upper))
    ours = winkler_score(lower, upper, judged.actual, track.confidence)
    return ours, winkler_score(np.exp(-half), np.exp(half), judged.actual, track.confidence)


def pinball_losses(track: Track, judged: Scored, measure: Yardstick) -> tuple[Floats, Floats]:
    """Mean loss over the quantiles of the forecasts and of the unit: (N,) each."""
    location = np.log(track.predicted[judged.at] / track.last_close[judged.at])
    ours = pinball(location, track.half_widths[judged.at], judged.actual)
    unit = pinball(np.zeros(len(location)), measure.half_widths[judged.origin], judged.actual)
    return ours, unit
