"""Where forecasts were worst: single ones, and days."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.outcomes import Outcomes

Floats = NDArray[np.float64]

MOST: Final = 10
_DAY_MS: Final = 86_400_000


class Miss(NamedTuple):
    """One forecast that cost much. Times in epoch ms, prices in quote units."""

    as_of: int
    target: int
    """Close time of the candle that it was for."""
    last_close: float
    lower: float
    upper: float
    actual: float
    cost: float
    """Its interval score over the mean one of the unit."""
    unit_cost: float
    """That of the unit at the same candle, likewise."""


class Days(NamedTuple):
    """D days (UTC) of one series, by the candle that was known last."""

    day: NDArray[np.int64]
    """(D,) its begin, epoch ms."""
    forecasts: Floats
    inside: Floats
    """(D,) how many outcomes were in the interval."""
    cost: Floats
    """(D,) sum of interval scores, over the mean one of the unit."""
    unit_cost: Floats


def worst_forecasts(told: Outcomes, most: int = MOST) -> list[Miss]:
    """The dearest, by interval score over the mean one of the unit; of overlapping ones the dearest."""
    track, candles = told.track, told.measure.candles
    chosen: list[int] = []
    for at in np.argsort(-told.score, kind="stable").tolist():
        if all(abs(told.origin[at] - told.origin[other]) >= track.steps for other in chosen):
            chosen.append(at)
        if len(chosen) == most:
            break
    mean = told.unit_score.mean()
    return [
        Miss(
            as_of=int(track.as_of[told.at[at]]),
            target=int(track.as_of[told.at[at]]) + track.steps * candles.step_ms,
            last_close=close,
            lower=float(told.lower[at]) * close,
            upper=float(told.upper[at]) * close,
            actual=float(told.actual[at]) * close,
            cost=float(told.score[at] / mean),
            unit_cost=float(told.unit_score[at] / mean),
        )
        for at in chosen
        for close in (float(track.last_close[told.at[at]]),)
    ]


def days_of(told: Outcomes) -> Days:
    """What every day cost."""
    day, place = np.unique(told.track.as_of[told.at] // _DAY_MS * _DAY_MS, return_inverse=True)
    mean = told.unit_score.mean()
    weights = (np.ones(len(place)), told.inside, told.score / mean, told.unit_score / mean)
    return Days(day, *(np.bincount(place, each).astype(np.float64) for each in weights))
