"""What a search makes small: the mean over files and horizons of a loss relative to the unit's."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.metrics import pinball_losses
from stream_lstm.evaluation.outcomes import outcomes_of
from stream_lstm.evaluation.significance import Between, Verdict, diebold_mariano, ratios_by_chance
from stream_lstm.evaluation.track import COVERAGES, Track
from stream_lstm.evaluation.yardstick import Yardstick

Floats = NDArray[np.float64]

Objective: TypeAlias = Literal["winkler", "pinball"]
"""Winkler's score of the interval that is published, or the mean pinball loss of 19 quantiles."""

_FEWEST: Final = 50
_SIGNIFICANT: Final = 0.05


class Losses(NamedTuple):
    """Of N forecasts of one series and horizon, in units of the last close."""

    as_of: NDArray[np.int64]  # (N,)
    ours: Floats  # (N,)
    unit: Floats  # (N,)

    @property
    def ratio(self) -> float:
        """Mean loss over the unit's."""
        return float(self.ours.mean() / self.unit.mean())


Place: TypeAlias = tuple[int, str]
"""A file, by its place in a row of files, and a horizon."""


def coverages_for(objective: Objective) -> tuple[float, ...]:
    """Coverages of the half-widths that a track must have for it."""
    return COVERAGES if objective == "pinball" else ()


def losses_of(track: Track, measure: Yardstick, objective: Objective) -> Losses:
    """The losses of all forecasts that can be judged."""
    told = outcomes_of(track, measure)
    losses = (told.score, told.unit_score) if objective == "winkler" else pinball_losses(told)
    return Losses(track.as_of[told.at], *losses)


def joined(parts: Sequence[Losses]) -> Losses:
    """Losses of successive times as one."""
    return Losses(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def mean_ratio(losses: Iterable[Losses]) -> float | None:
    """The objective; places with fewer than 50 forecasts are left out, None if there is no other."""
    ratios = [each.ratio for each in losses if len(each.ours) >= _FEWEST]
    return fmean(ratios) if ratios else None


class Comparison(NamedTuple):
    """One way of forecasting beside another, on the same candles; below 1 is better than the unit."""

    ours: float
    theirs: float
    difference: Between
    """Ours less theirs; below 0 is better."""
    test: Verdict | None
    """Diebold–Mariano; None where there is no difference, or too little to tell."""

    @property
    def better(self) -> bool:
        """Whether ours is better by more than chance."""
        return self._significant and self.difference.value < 0

    @property
    def worse(self) -> bool:
        """Whether ours is worse by more than chance."""
        return self._significant and self.difference.value > 0

    @property
    def _significant(self) -> bool:
        return self.test is not None and self.test.p_value < _SIGNIFICANT


def compare(ours: Mapping[Place, Losses], theirs: Mapping[Place, Losses], steps: int) -> Comparison:
    """Compare the objectives of two ways of forecasting, of which the longest looks `steps` candles ahead.

    The difference is the mean over time of one number per moment, the mean over files and horizons of what
    ours lost more, each over its unit: so what files have in common at a time is counted once. What overlaps
    within `steps` stays together, in the resampling (blocks of 2h) and in the test (lags of 2(h − 1)). Raises
    `ValueError` if there is nothing to compare.
    """
    places = [place for place, losses in ours.items() if len(losses.ours) >= _FEWEST]
    if not places:
        raise ValueError("no horizon with 50 forecasts that can be judged")
    moments = np.unique(np.concatenate([ours[place].as_of for place in places]))
    lost_more = np.zeros(len(moments))
    for place in places:
        mine, other = ours[place], theirs[place]
        at = np.searchsorted(moments, mine.as_of)
        share = len(moments) / len(at) / len(places)  # so that the mean over time is the difference of ratios
        lost_more[at] += share * (mine.ours - other.ours) / mine.unit.mean()
    by_chance = ratios_by_chance(lost_more, np.ones(len(moments)), steps)
    return Comparison(
        ours=fmean(ours[place].ratio for place in places),
        theirs=fmean(theirs[place].ratio for place in places),
        difference=Between.of(float(lost_more.mean()), by_chance),
        test=diebold_mariano(lost_more, steps),
    )
