"""What became of the forecasts of one series and horizon: coverage counted, skill with its uncertainty."""

from typing import Any, Final, NamedTuple

import numpy as np

from stream_lstm.dashboard.candle_ring import CandleRing
from stream_lstm.evaluation.significance import Between, ratios_by_chance

MOST: Final = 300
"""Scores of which the skill is told."""
_FEWEST: Final = 50
_BLOCKS: Final = 5
"""Blocks of two horizons that there must be at least: of fewer nothing can be told by drawing them again."""


class Skill(NamedTuple):
    """1 − RMSE / RMSE(random walk) of log errors; None below `needed` scores."""

    between: Between | None
    scores: int
    needed: int


class Record:
    """Scores of one series and horizon, in the order of their candles."""

    __slots__ = ("_as_of", "_at", "_errors", "asked", "count", "inside", "newest")

    def __init__(self) -> None:
        self.count = 0
        self.inside = 0
        self.asked = 0.0
        """Sum of the coverages asked for."""
        self.newest = -1
        """As-of of the newest score."""
        self._at = 0
        self._as_of = np.full(MOST, -1, np.int64)
        self._errors = np.zeros(MOST, np.float32)

    def take(self, body: dict[str, Any]) -> bool:
        """A score; False for a repeat."""
        as_of = int(body["asOf"])
        if as_of <= self.newest:
            return False
        error = np.log(body["actualPrice"] / body["predictedPrice"])
        self.newest = as_of
        self.count += 1
        self.inside += bool(body["inside"])
        self.asked += float(body["confidence"])
        self._as_of[self._at], self._errors[self._at] = as_of, error
        self._at = (self._at + 1) % MOST
        return True

    @property
    def coverage(self) -> float | None:
        """Share of actual prices inside the interval."""
        return self.inside / self.count if self.count else None

    @property
    def nominal(self) -> float | None:
        """The coverage asked for."""
        return self.asked / self.count if self.count else None

    def skill(self, candles: CandleRing, length_ms: int) -> Skill:
        """Against the last price, over the scores whose candles are known."""
        kept = np.sort(np.flatnonzero(self._as_of >= 0))
        order = kept[np.argsort(self._as_of[kept])]
        as_of, errors = self._as_of[order], self._errors[order].astype(float)
        moved = np.log(candles.closes_at(as_of + length_ms) / candles.closes_at(as_of))
        known = np.isfinite(moved)
        errors, moved = errors[known] ** 2, moved[known] ** 2
        steps = max(1, length_ms // candles.step_ms)
        needed = max(_FEWEST, _BLOCKS * 2 * steps)
        if len(errors) < needed or not moved.sum() > 0:
            return Skill(None, len(errors), needed)
        ratios = np.sqrt(ratios_by_chance(errors, moved, steps))
        value = 1 - float(np.sqrt(errors.sum() / moved.sum()))
        return Skill(Between.of(value, 1 - ratios), len(errors), needed)
