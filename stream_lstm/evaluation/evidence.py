"""What a sceptic wants to see of forecasts beside what they were worth: the numbers behind each picture."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.coverage import coverage_over_time
from stream_lstm.evaluation.misses import Days, Miss, days_of, worst_forecasts
from stream_lstm.evaluation.outcomes import outcomes_of
from stream_lstm.evaluation.pit import coverages, pit_counts
from stream_lstm.evaluation.significance import Verdict, diebold_mariano
from stream_lstm.evaluation.track import Track
from stream_lstm.evaluation.yardstick import Yardstick

Floats = NDArray[np.float64]

_POINTS: Final = 100
"""Of a curve: more than that no screen shows."""


class Evidence(NamedTuple):
    """Of the judged forecasts of one series and horizon."""

    steps: int
    """Horizon in candles."""
    step_ms: int
    confidence: float
    as_of: NDArray[np.int64]
    """(N,) epoch ms."""
    cost: Floats
    """(N,) interval score over the mean one of the unit."""
    coverages: Floats
    """(9,) observed, of the intervals with `COVERAGES`."""
    pit: Floats
    """(20,) share of outcomes in each 5% of their forecast, lowest first."""
    stretch_end: NDArray[np.int64]
    """(M,) as-of of the last of 500 forecasts in a row, epoch ms."""
    stretch_share: Floats
    """(M,) share of outcomes inside the interval among them; no point where there are fewer than 500."""
    misses: list[Miss]
    days: Days


def duel(ours: Evidence, theirs: Evidence) -> tuple[float, Verdict | None]:
    """By how much of the unit's mean score one forecaster costs less than another, and whether by chance.

    Of one series and horizon, over the forecasts that both made.
    """
    _, mine, other = np.intersect1d(ours.as_of, theirs.as_of, assume_unique=True, return_indices=True)
    difference = ours.cost[mine] - theirs.cost[other]
    return -float(difference.mean()), diebold_mariano(difference, ours.steps)


def evidence_of(track: Track, measure: Yardstick) -> Evidence:
    """There must be a forecast that can be judged."""
    told = outcomes_of(track, measure)
    as_of, over_time = track.as_of[told.at], coverage_over_time(told.inside, _POINTS)
    return Evidence(
        steps=track.steps,
        step_ms=measure.candles.step_ms,
        confidence=track.confidence,
        as_of=as_of,
        cost=told.score / told.unit_score.mean(),
        coverages=coverages(told.error, told.half_widths),
        pit=pit_counts(told.error, told.half_widths) / len(told.at),
        stretch_end=as_of[over_time.last],
        stretch_share=over_time.share,
        misses=worst_forecasts(told),
        days=days_of(told),
    )
