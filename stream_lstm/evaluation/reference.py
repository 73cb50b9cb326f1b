"""The unit by which intervals are measured: EWMA volatility times a rolling quantile of its own errors.

σ² is the exponentially weighted mean, λ = 0.94, of squared log returns of one candle (RiskMetrics, J.P.
Morgan 1996); the half-width is σ times the quantile of the last 500 matured |r_h| / σ, at least 100 of them.
It is what anybody has without a model. N candles of one series, L coverages.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

DECAY: Final = 0.94
WINDOW: Final = 500
MINIMUM: Final = 100
_START: Final = 50
"""Returns whose mean square the average begins with."""


def ewma_volatility(close: Floats) -> Floats:
    """σ at every candle, from its return and all before: (N,)."""
    squares = np.diff(np.log(close), prepend=np.log(close[0])) ** 2
    begins = squares[1 : _START + 1] if len(squares) > _START else squares
    variance = max(float(begins.mean()), 1e-12)
    averaged = [variance]
    for square in squares[1:].tolist():
        variance = DECAY * variance + (1 - DECAY) * square
        averaged.append(variance)
    return np.sqrt(np.maximum(averaged, 1e-18))


def target_rows(open_ms: NDArray[np.int64], step_ms: int, steps: int) -> Index:
    """Row of the candle `steps` later by the clock, −1 where there is none: (N,)."""
    wanted = open_ms + steps * step_ms
    rows: Index = np.minimum(np.searchsorted(open_ms, wanted), len(open_ms) - 1)
    return np.where(open_ms[rows] == wanted, rows, -1)


def unit_half_widths(volatility: Floats, close: Floats, targets: Index, coverages: Sequence[float]) -> Floats:
    """Half-widths in log price at every candle, from what was known at its close; NaN before: (N, L)."""
    known = targets >= 0
    scores = np.full(len(close), np.nan)
    scores[known] = np.abs(np.log(close[targets[known]] / close[known])) / volatility[known]
    return rolling_quantiles(scores, targets, coverages) * volatility[:, None]


def rolling_quantiles(scores: Floats, ready: Index, levels: Sequence[float]) -> Floats:
    """At every row the quantiles of the last 500 scores that are known there: (N, L), NaN below 100.

    Score n is known from row `ready[n]` on, never where that is negative. Of m scores it is the one of
    rank ⌈(m + 1)·level⌉: the conformal quantile (Vovk et al., Algorithmic Learning in a Random World, 2005).
    """
    comes: dict[int, list[float]] = {}
    for row, score in zip(ready.tolist(), scores.tolist(), strict=True):
        if row >= 0:
            comes.setdefault(row, []).append(score)
    ranked: list[float] = []
    order: deque[float] = deque()
    ranks = [[min(count, ceil((count + 1) * level)) - 1 for level in levels] for count in range(WINDOW + 1)]
    found = np.full((len(scores), len(levels)), np.nan)
    for row in range(len(scores)):
        for score in comes.get(row, ()):
            insort(ranked, score)
            order.append(score)
            if len(order) > WINDOW:
                del ranked[bisect_left(ranked, order.popleft())]
        count = len(ranked)
        if count >= MINIMUM:
            found[row] = [ranked[rank] for rank in ranks[count]]
    return found
