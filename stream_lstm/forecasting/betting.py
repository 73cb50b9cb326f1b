"""Capital won by betting on one forecaster against another: evidence that is valid whenever one looks.

At the origin of a forecast both intervals are known, so of the difference of their interval scores r =
(Winkler of the champion − Winkler of the challenger) / their mean width it is known how large it can
become, either way: beyond the outermost bound both scores grow alike. A gambler who stakes λ ≤ ½ / max |r|
on the challenger multiplies its capital by 1 + λ·r, which is positive whatever comes. As long as the
challenger's expected score is not the smaller one at any origin, given what is known there, the capital is
a nonnegative supermartingale from 1 on, and reaches 1/α with probability α at most, however often one looks
(Ville 1939). It is an e-process for "not better"; the mirror, 1 − λ·r, is one for "not worse", and with
champion and challenger exchanged the one becomes the other.

The stakes are fixed, and the capital is the mean over gamblers of different λ (Cover 1991, Mathematical
Finance 1; the method of mixtures of Robbins 1970), so that none has to be guessed. Fixed stakes have a
second merit: as long as the bound does not cut them, Π (1 + λ·r) is an e-process under the weaker
hypothesis too that the challenger is not better on average up to now. With μ the expected r at each origin,
Π (1 + λ·r) / Π (1 + λ·μ) is a martingale, and Π (1 + λ·μ) ≤ exp(λ·Σ μ) ≤ 1. Stakes that learn (ONS, aGRAPA
of Waudby-Smith & Ramdas 2024, JRSS-B 86) lose that. The bound cuts both sides alike: one that let a gambler
stake more where it could lose less would have both sides bet on the wider interval, and win together.
Comparing forecasters by betting is Choe & Ramdas' (2024, Operations Research 72) and Henzi & Ziegel's
(2022, Biometrika 109).

Outcomes of h candles overlap: of a forecast made before another one's target one must not learn anything
yet. So only forecasts h candles apart are bet on, each made when the one before is settled. All h
interleaved sequences could be bet on, but their mean is no e-process for whoever looks between (Henzi &
Ziegel 2022; Arnold, Henzi & Ziegel 2023, Annals of Applied Statistics 17), and merging their largest values
costs a factor of e·ln h (Vovk & Wang 2020, Biometrika 107), for outcomes that say nearly the same.

The ratio (W₁ − W₂) / (W₁ + W₂), which needs no bounds, is no fair bet: it shrinks the large penalties most,
so that an interval that is too narrow wins it.

R series x K horizons, J gamblers on each side.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.by_row import Arrays
from stream_lstm.forecasting.scoring import winkler_score

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

STAKES: Final = np.array([1, 3, 9]) / 16
"""λ of the gamblers, per unit of r."""
MOST: Final = 0.5
"""Share of its capital that a gambler may lose at once."""
_LARGEST_LOG: Final = 690.0
"""Of a capital that is told: beyond it is no number on the wire."""


class Edge(NamedTuple):
    """n differences of interval scores, in mean widths of the two intervals."""

    gain: Floats
    """Above 0: the challenger did better."""
    largest: Floats
    """The most that |gain| could have become, as was known before."""


def edge(
    champion: tuple[Floats, Floats], challenger: tuple[Floats, Floats], actual: Floats, confidence: float
) -> Edge:
    """The difference of the interval scores of n pairs of (lower, upper), for the outcomes (n,).

    Beyond all four bounds both scores rise by the same, and in between their difference is linear from one
    bound to the next: so it is largest at a bound.

    >>> edge((np.array([0.0]), np.array([2.0])), (np.array([0.5]), np.array([1.5])), np.array([1.0]), 0.8)
    Edge(gain=array([0.66666667]), largest=array([2.66666667]))
    """
    width = (champion[1] - champion[0] + challenger[1] - challenger[0]) / 2

    def at(outcome: Floats) -> Floats:
        theirs = winkler_score(*challenger, outcome, confidence)
        difference: Floats = (winkler_score(*champion, outcome, confidence) - theirs) / width
        return difference

    bounds = np.stack([at(bound) for bound in (*champion, *challenger)])
    return Edge(at(actual), np.abs(bounds).max(axis=0))


class Capitals:
    """The capital of every gambler, for the challenger and against it."""

    def __init__(self, horizons: int) -> None:
        self._logs = np.zeros((0, horizons, 2, len(STAKES)))

    def grow(self, rows: int) -> None:
        """Make room for `rows` series."""
        more = np.zeros((rows - len(self._logs), *self._logs.shape[1:]))
        self._logs = np.concatenate([self._logs, more])

    def begin(self, row: int) -> None:
        """Give every gambler of a series the capital 1."""
        self._logs[row] = 0.0

    def by_row(self) -> Arrays:
        """As `forecasting.by_row` wants it."""
        return {"logs": self._logs}

    def update(self, rows: Index, horizons: Index, edge: Edge) -> None:
        """Settle the bets on one forecast at each of n distinct places."""
        with np.errstate(divide="ignore"):
            stakes = np.minimum(STAKES, MOST / edge.largest[:, None])
        won = stakes * edge.gain[:, None]  # (n, J)
        self._logs[rows, horizons] += np.log1p(np.stack([won, -won], axis=1))

    def evidence(self, rows: Index) -> Floats:
        """The mean capital of those who bet on the challenger, and against it: (S, K, 2), at most e⁶⁹⁰."""
        logs = self._logs[rows]
        highest = logs.max(axis=-1, keepdims=True)
        mean = highest[..., 0] + np.log(np.exp(logs - highest).mean(axis=-1))
        evidence: Floats = np.exp(np.minimum(mean, _LARGEST_LOG))
        return evidence
