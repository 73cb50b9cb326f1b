"""What the forecasts of one series and horizon were worth, beside the random walk and the unit."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.coverage import Coverage, coverage_of
from stream_lstm.evaluation.losses import pinball
from stream_lstm.evaluation.outcomes import Outcomes, outcomes_of
from stream_lstm.evaluation.significance import Between, Verdict, diebold_mariano, ratios_by_chance
from stream_lstm.evaluation.track import Track
from stream_lstm.evaluation.yardstick import Yardstick

Floats = NDArray[np.float64]

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


def judge(track: Track, measure: Yardstick) -> Worth | None:
    """The worth of a track by the yardstick of its series; None below 50 forecasts that can be judged."""
    told = outcomes_of(track, measure)
    count = len(told.at)
    if count < _FEWEST:
        return None
    origin, actual, unit = told.origin, told.actual, told.unit_score
    error, moved = told.error, np.log(actual)
    mape, walk_mape = (float(np.abs(said / actual - 1).mean()) for said in (told.predicted, 1.0))
    hours = (measure.candles.open_ms[origin] + measure.candles.step_ms) // _HOUR_MS % 24
    squared = ratios_by_chance(error**2, moved**2, measure.steps)
    rmse_ratio, winkler_ratio = _rmse(error) / _rmse(moved), float(told.score.mean() / unit.mean())
    ours, theirs = pinball_losses(told)
    return Worth(
        forecasts=count,
        answered=count / int(origin[-1] - origin[0] + 1),
        rmse_ratio=rmse_ratio,
        mae_ratio=float(np.abs(error).mean() / np.abs(moved).mean()),
        mape=mape,
        mape_ratio=mape / walk_mape,
        skill=Between.of(1 - rmse_ratio, 1 - np.sqrt(squared)),
        winkler_ratio=winkler_ratio,
        interval_skill=Between.of(1 - winkler_ratio, 1 - ratios_by_chance(told.score, unit, measure.steps)),
        pinball_ratio=float(ours.mean() / theirs.mean()),
        coverage=coverage_of(told.inside, hours, measure.volatility[origin]),
        width=float((told.upper - told.lower).mean()),
        better=diebold_mariano((told.score - unit) / unit.mean(), measure.steps),
    )


def _rmse(error: Floats) -> float:
    return float(np.sqrt(error @ error / len(error)))


def pinball_losses(told: Outcomes) -> tuple[Floats, Floats]:
    """Mean loss over the quantiles of the forecasts, and of the unit: (N,) each."""
    ours = pinball(np.log(told.predicted), told.half_widths, told.actual)
    unit = pinball(np.zeros(len(told.at)), told.measure.half_widths[told.origin], told.actual)
    return ours, unit
