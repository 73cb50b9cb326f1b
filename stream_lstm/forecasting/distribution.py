"""One predictive distribution per series and horizon: bounds, quantiles, direction and path are read from it.

The log return over h candles is location + scale · e, with |e| distributed as the calibrator says and
its sign symmetric. S series, K horizons, L quantile levels, U steps of the path.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.calibration import Calibrators, Tail

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

LEVELS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_HALF_WIDTH_LEVELS: Final = (0.98, 0.9, 0.8, 0.5)  # P(|e| < q) of the four pairs around the median


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is forecast for S series at their horizons; NaN where a series has no such horizon."""

    location: Floats
    """(S, K) log of predicted over last close."""
    half_width: Floats
    """(S, K) of the published interval, in log price, not decreasing with the horizon."""
    quantiles: Floats
    """(S, K, 9) log quantiles at `LEVELS`, relative to the last close."""
    direction: Floats
    """(S, K, 3) probabilities of ending below, within and above the neutral band."""
    deviation: Floats
    """(S, K) standard deviation of the log return."""

    def beyond_median(self) -> Floats:
        """How far the upper quantiles are from the median, in log price: (S, K, 4), ascending."""
        beyond: Floats = self.quantiles[..., 5:] - self.quantiles[..., 4:5]
        return beyond

    def replaced(self, which: NDArray[np.bool_], other: "Distribution") -> "Distribution":
        """The same with `other` in the places of the series `which` (S,)."""
        columns = {field.name: getattr(self, field.name).copy() for field in fields(self)}
        for name, column in columns.items():
            column[which] = getattr(other, name)
        return Distribution(**columns)


def distribution(
    calibrators: Calibrators,
    places: Index,
    location: Floats,
    log_scale: Floats,
    *,
    confidence: float,
    neutral_band: float,
) -> Distribution:
    """The distribution at every horizon.

    `places` (S, K) are the calibrators to read, those of the longest trained horizon for the ones beyond
    it; `location`, `log_scale` (S, K) as the bank gives them; `neutral_band` a fraction of the last close.
    """
    scale = np.exp(log_scale)
    tail = calibrators.tail(places)
    half = half_widths(calibrators, places, scale, (*_HALF_WIDTH_LEVELS, confidence), tail)
    outer = half[..., :4]
    shifts = np.concatenate([-outer, np.zeros((*half.shape[:2], 1)), outer[..., ::-1]], axis=-1)
    return Distribution(
        location,
        half[..., 4],
        location[..., None] + shifts,
        _direction(calibrators, places, location, scale, tail, neutral_band),
        scale * calibrators.deviation(places),
    )


def half_widths(
    calibrators: Calibrators, places: Index, scale: Floats, coverages: Sequence[float], tail: Tail
) -> Floats:
    """Half-widths in log price of the intervals with L coverages, for scales (S, K): (S, K, L)."""
    half = calibrators.quantiles(places, np.array(coverages), tail) * scale[..., None]
    wider: Floats = np.maximum.accumulate(half, axis=1)  # a longer horizon is never said to be surer
    return wider


def _direction(
    calibrators: Calibrators, places: Index, location: Floats, scale: Floats, tail: Tail, band: float
) -> Floats:
    """P(down), P(neutral), P(up): (S, K, 3), each row summing to 1."""
    lower = (np.log1p(-band) - location) / scale
    upper = (np.log1p(band) - location) / scale
    edges = np.stack([lower, upper], axis=-1)
    inside = calibrators.probability_below(places, np.abs(edges), tail)
    below = 0.5 + 0.5 * np.sign(edges) * inside  # the sign of e is symmetric
    down, up = below[..., 0], 1.0 - below[..., 1]
    return np.stack([down, 1.0 - down - up, up], axis=-1)


def path_half_width(steps: Floats, heads: Floats, half_width: Floats) -> Floats:
    """Half-widths at the steps of a path: (U,) steps, (K,) heads and (S, K) half-widths give (S, U).

    Log half-width is linear in the log of the step between horizons; before the first it grows with √step.
    """
    log_heads, log_half = np.log(heads), np.log(half_width)
    right = np.clip(np.searchsorted(heads, steps), 1, max(len(heads) - 1, 1))
    if len(heads) == 1:
        alone: Floats = half_width * np.sqrt(steps / heads[0])
        return alone
    left = right - 1
    part = (np.log(steps) - log_heads[left]) / (log_heads[right] - log_heads[left])
    between = log_half[:, left] + part * (log_half[:, right] - log_half[:, left])
    before = log_half[:, :1] + 0.5 * np.log(steps / heads[0])
    width: Floats = np.exp(np.where(steps <= heads[0], before, between))
    return width


def path_location(steps: Floats, heads: Floats, location: Floats) -> Floats:
    """Locations at the steps of a path, linear in the step from zero at step 0: (S, U)."""
    knots = np.concatenate([[0.0], heads])
    values = np.concatenate([np.zeros((len(location), 1)), location], axis=1)
    right = np.clip(np.searchsorted(knots, steps), 1, len(heads))
    part = (steps - knots[right - 1]) / (knots[right] - knots[right - 1])
    between: Floats = values[:, right - 1] + part * (values[:, right] - values[:, right - 1])
    return between
