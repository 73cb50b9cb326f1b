"""Whether forecasts are calibrated as whole distributions: their PIT, and the coverage of nine intervals.

The probability integral transform of an outcome is the probability that its forecast gave to less than it;
of true forecasts it is uniform (Dawid 1984, JRSS A 147; Diebold, Gunther & Tay 1998, Int. Econ. Rev. 39).
A hump in the middle: too wide. A bowl: too narrow. A slope: off to one side.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.track import COVERAGES

Floats = NDArray[np.float64]

PIT_BINS: Final = 2 * len(COVERAGES) + 2
"""Of 5% each: between the quantiles at 5, 10, … 95%, and outside of them."""


def pit_counts(error: Floats, half_widths: Floats) -> Floats:
    """How many of N outcomes fell into each bin of 5% of their forecasts, lowest first: (20,).

    `error` (N,) is what came less the median, `half_widths` (N, 9) those of the intervals with `COVERAGES`,
    in the same unit. An outcome on an edge counts half to either side: with prices that do not move it is
    no rarity. Counts of several stretches add up.

    >>> widths = np.linspace(1.8, 0.2, 9)[None].repeat(2, axis=0)
    >>> {at: count for at, count in enumerate(pit_counts(np.array([0.0, -3.0]), widths).tolist()) if count}
    {0: 1.0, 9: 0.5, 10: 0.5}
    """
    edges = np.concatenate([-half_widths, np.zeros((len(error), 1)), half_widths[:, ::-1]], axis=1)  # (N, 19)
    above, reached = edges < error[:, None], edges <= error[:, None]
    bins = np.concatenate([above.sum(axis=1), reached.sum(axis=1)])
    counts: Floats = np.bincount(bins, minlength=PIT_BINS) / 2.0
    return counts


def coverages(error: Floats, half_widths: Floats) -> Floats:
    """Share of N outcomes inside each of the intervals with `COVERAGES`: (9,). As in `pit_counts`."""
    shares: Floats = (np.abs(error)[:, None] <= half_widths).mean(axis=0)
    return shares
