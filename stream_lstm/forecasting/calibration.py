"""The calibrators: for every series and horizon, how large |error| / scale has been lately.

A histogram over log-spaced bins (1% wide) whose counts are forgotten with a half-life of L scores, so
that every quantile, probability and tail is read from one distribution. Instead of decaying 832 counts
per score, the weight of the next score grows by 2^(1/L). The tail beyond the outermost 30 effective
scores, at most the outer 5%, is Pareto with Hill's (1975, Annals of Statistics 3) index.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

BLOCKS: Final = 26
PER_BLOCK: Final = 32
BINS: Final = BLOCKS * PER_BLOCK
SMALLEST: Final = 0.01
_LOG_WIDTH: Final = float(np.log(1.01))
_UPPER_LOG: Final = np.log(SMALLEST) + _LOG_WIDTH * np.arange(BINS)  # upper edge; bin 0 reaches down to zero
_CENTRE_LOG: Final = _UPPER_LOG - _LOG_WIDTH / 2
_CENTRE_SQUARED: Final = np.exp(2 * _CENTRE_LOG)
_BLOCKS: Final = np.arange(BLOCKS)
_INNER: Final = np.arange(PER_BLOCK)

HALF_LIFE_ONE_STEP: Final = 1_500.0
HALF_LIFE: Final = 3_000.0
PRIOR_SCORES: Final = 100.0
PRIOR_DEVIATION: Final = 1.12
"""A young series' scale comes from ranges, which fall short of the returns: measured over 40 segments of
eight markets, the 0.9 quantile of |error| / scale is 1.63 to 1.78, this prior's 1.69."""
_TAIL_SCORES: Final = 30.0
_TAIL_SHARE: Final = 0.05
_TAIL_EXPONENT: Final = (0.05, 0.45)  # bounds of 1/α; the upper one keeps the variance finite
_RENORMALISE: Final = 2.0**40


def _bin_of(scores: Floats) -> Index:
    at = np.floor(np.log(np.maximum(scores, 1e-12) / SMALLEST) / _LOG_WIDTH) + 1
    bins: Index = np.clip(at, 0, BINS - 1).astype(np.intp)
    return bins


def _student_prior() -> Floats:
    """Mass per bin of a Student |t₄| with deviation `PRIOR_DEVIATION`: (BINS,), sums to `PRIOR_SCORES`."""
    x = np.exp(_UPPER_LOG) * np.sqrt(2.0) / PRIOR_DEVIATION
    z = x / np.sqrt(4.0 + x * x)
    below = 2 * (
        0.75 * z - 0.25 * z**3
    )  # P(|T| < x) = 2·(F(x) − ½), F in closed form for 4 degrees of freedom
    below[-1] = 1.0
    mass: Floats = PRIOR_SCORES * np.diff(below, prepend=0.0)
    return mass


_PRIOR: Final = _student_prior()


class Tail(NamedTuple):
    """The Pareto tail of each calibrator, and what a quantile needs: all (S, K) but `cumulative`."""

    cumulative: Floats
    """(S, K, BLOCKS) mass up to and including each block."""
    total: Floats
    share: Floats
    """Probability beyond the threshold."""
    threshold: Floats
    exponent: Floats
    """1/α: the quantile grows like (share / (1 − level))^exponent."""


class Calibrators:
    """R series x K horizons. A place is the flat index row · K + horizon."""

    def __init__(self, horizons: int) -> None:
        self.horizons = horizons
        self._counts = np.zeros((0, BLOCKS, PER_BLOCK), np.float32)
        self._blocks = np.zeros((0, BLOCKS))
        self._block_logs = np.zeros((0, BLOCKS))
        self._squares = np.zeros(0)
        self._weight = np.ones(0)
        self._growth = np.ones(0)

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more = rows * self.horizons - len(self._weight)
        self._counts = np.concatenate([self._counts, np.zeros((more, BLOCKS, PER_BLOCK), np.float32)])
        self._blocks = np.concatenate([self._blocks, np.zeros((more, BLOCKS))])
        self._block_logs = np.concatenate([self._block_logs, np.zeros((more, BLOCKS))])
        self._squares, self._weight, self._growth = (
            np.concatenate([column, np.ones(more)]) for column in (self._squares, self._weight, self._growth)
        )

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        by_series = (-1, self.horizons)
        return {
            "counts": self._counts.reshape(*by_series, BLOCKS, PER_BLOCK),
            "blocks": self._blocks.reshape(*by_series, BLOCKS),
            "block_logs": self._block_logs.reshape(*by_series, BLOCKS),
            "squares": self._squares.reshape(by_series),
            "weight": self._weight.reshape(by_series),
            "growth": self._growth.reshape(by_series),
        }

    def begin(self, place: int, steps: int) -> None:
        """Forget everything; start from the Student-t prior for a horizon of `steps` candles."""
        half_life = HALF_LIFE_ONE_STEP if steps == 1 else HALF_LIFE
        self._growth[place] = 2.0 ** (1.0 / half_life)
        self._fill(place, _PRIOR, 1.0)

    def replace(self, place: int, scores: NDArray[np.float32]) -> None:
        """Forget everything; start from out-of-sample `scores` (n,), oldest first."""
        weights = self._growth[place] ** np.arange(len(scores), dtype=np.float64)
        mass = np.bincount(_bin_of(scores.astype(np.float64)), weights, BINS)
        self._fill(place, mass / weights[-1], float(self._growth[place]))

    def _fill(self, place: int, mass: Floats, weight: float) -> None:
        self._counts[place] = mass.reshape(BLOCKS, PER_BLOCK)
        self._blocks[place] = mass.reshape(BLOCKS, PER_BLOCK).sum(axis=1)
        self._block_logs[place] = (mass * _CENTRE_LOG).reshape(BLOCKS, PER_BLOCK).sum(axis=1)
        self._squares[place] = float((mass * _CENTRE_SQUARED).sum())
        self._weight[place] = weight

    def update(self, places: Index, scores: Floats) -> None:
        """One new |error| / scale for each of n distinct places."""
        at = _bin_of(scores)
        block, inner = at // PER_BLOCK, at % PER_BLOCK
        weight = self._weight[places]
        self._counts[places, block, inner] += weight.astype(np.float32)
        self._blocks[places, block] += weight
        self._block_logs[places, block] += weight * _CENTRE_LOG[at]
        self._squares[places] += weight * _CENTRE_SQUARED[at]
        self._weight[places] = weight * self._growth[places]
        heavy = places[self._weight[places] > _RENORMALISE]
        if len(heavy):
            self._renormalise(heavy)

    def _renormalise(self, places: Index) -> None:
        scale = 1.0 / self._weight[places]
        self._counts[places] *= scale[:, None, None].astype(np.float32)
        self._blocks[places] *= scale[:, None]
        self._block_logs[places] *= scale[:, None]
        self._squares[places] *= scale
        self._weight[places] = 1.0

    def effective_scores(self, places: Index) -> Floats:
        """How many scores the forgetting leaves, the prior's 100 among them."""
        effective: Floats = self._blocks[places].sum(axis=-1) * self._growth[places] / self._weight[places]
        return effective

    def deviation(self, places: Index) -> Floats:
        """Root mean square of the scores."""
        deviation: Floats = np.sqrt(self._squares[places] / self._blocks[places].sum(axis=-1))
        return deviation

    def tail(self, places: Index) -> Tail:
        """Threshold and Pareto exponent of each place (S, K)."""
        cumulative = np.cumsum(self._blocks[places], axis=-1)
        total = np.ascontiguousarray(cumulative[..., -1])
        effective = total * self._growth[places] / self._weight[places]
        share = np.minimum(_TAIL_SHARE, _TAIL_SCORES / effective)
        at, part = self._locate(places, cumulative, ((1.0 - share) * total)[..., None])
        at, part = at[..., 0], part[..., 0]
        log_threshold = _log_value(at, part)
        block, inner = at // PER_BLOCK, at % PER_BLOCK
        logs = np.add.reduce(self._block_logs[places] * (block[..., None] < _BLOCKS), axis=-1)
        counts = self._counts[places, block].astype(np.float64)  # (S, K, PER_BLOCK)
        centres = _CENTRE_LOG.reshape(BLOCKS, PER_BLOCK)[block]
        logs += np.add.reduce(counts * centres * (inner[..., None] < _INNER), axis=-1)
        split = _picked(counts, inner) * (1.0 - part)
        logs += split * (log_threshold + _UPPER_LOG[at]) / 2
        exponent = _between(logs / (share * total) - log_threshold, *_TAIL_EXPONENT)
        return Tail(cumulative, total, share, np.exp(log_threshold), exponent)

    def quantiles(self, places: Index, levels: Floats, tail: Tail) -> Floats:
        """Quantiles of |error| / scale at `levels` (L,): (S, K, L)."""
        at, part = self._locate(places, tail.cumulative, tail.total[..., None] * levels)
        value = np.exp(_log_value(at, part))
        share = tail.share[..., None]
        beyond = np.maximum(share / np.maximum(1.0 - levels, 1e-9), 1.0)
        far = tail.threshold[..., None] * beyond ** tail.exponent[..., None]
        return np.where(levels > 1.0 - share, far, value)

    def probability_below(self, places: Index, values: Floats, tail: Tail) -> Floats:
        """P(|error| / scale < value) for `values` (S, K, n): (S, K, n)."""
        at = _bin_of(values)
        block, inner = at // PER_BLOCK, at % PER_BLOCK
        counts = self._counts[places[..., None], block].astype(np.float64)  # (S, K, n, PER_BLOCK)
        within = np.add.reduce(counts * (inner[..., None] > _INNER), axis=-1)
        part = _between(1.0 + (np.log(np.maximum(values, 1e-12)) - _UPPER_LOG[at]) / _LOG_WIDTH, 0.0, 1.0)
        part = np.where(at == 0, _between(values / SMALLEST, 0.0, 1.0), part)
        below = _before(tail.cumulative, block) + within + _picked(counts, inner) * part
        threshold, share = tail.threshold[..., None], tail.share[..., None]
        far = values > threshold
        ratio = threshold / np.where(far, values, threshold)
        outer = 1.0 - share * ratio ** (1.0 / tail.exponent[..., None])
        return np.where(far, outer, np.minimum(below / tail.total[..., None], 1.0 - share))

    def _locate(self, places: Index, cumulative: Floats, wanted: Floats) -> tuple[Index, Floats]:
        """Where the mass reaches `wanted` (S, K, L): the bin, and how far into it."""
        block = np.minimum(np.add.reduce(cumulative[..., None, :] < wanted[..., None], axis=-1), BLOCKS - 1)
        inside = np.cumsum(self._counts[places[..., None], block], axis=-1, dtype=np.float64)
        rest = wanted - _before(cumulative, block)
        inner = np.minimum(np.add.reduce(inside < rest[..., None], axis=-1), PER_BLOCK - 1)
        below = _before(inside, inner)
        count = _picked(inside, inner) - below
        part = _between((rest - below) / np.where(count > 0, count, 1.0), 0.0, 1.0)
        return block * PER_BLOCK + inner, part


def _picked(rows: Floats, at: Index) -> Floats:
    """Elements `at` (…) or (…, n) of the last axis of `rows` (…, B).

    What `np.take_along_axis` does, for a fraction of its fixed cost.
    """
    width = rows.shape[-1]
    starts = np.arange(0, rows.size, width).reshape(rows.shape[:-1])
    if at.ndim == rows.ndim:
        starts = starts[..., None]
    picked: Floats = rows.reshape(-1).take(starts + at)
    return picked


def _before(cumulative: Floats, at: Index) -> Floats:
    """The mass before element `at` of the last axis."""
    return _picked(cumulative, np.maximum(at - 1, 0)) * (at > 0)


def _between(values: Floats, lowest: float, highest: float) -> Floats:
    """`np.clip` without its wrapper."""
    return np.minimum(np.maximum(values, lowest), highest)


def _log_value(at: Index, part: Floats) -> Floats:
    """Log of the value `part` of the way through bin `at`: log-linear, linear in the first bin."""
    inside = _UPPER_LOG[at] - (1.0 - part) * _LOG_WIDTH
    first = np.log(SMALLEST * np.maximum(part, 1e-6))
    return np.where(at == 0, first, inside)
