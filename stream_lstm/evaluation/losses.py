"""What a forecast costs once its outcome is known. N forecasts; prices in units of the last close."""

import numpy as np
from numpy.typing import NDArray

from stream_lstm.evaluation.track import COVERAGES

Floats = NDArray[np.float64]


def pinball(predicted: Floats, half_widths: Floats, actual: Floats) -> Floats:
    """Mean over the quantiles at 5, 10, … 95% of the pinball loss: (N,).

    Koenker & Bassett (1978, Econometrica 46): ρ_p(y − q) = max(p·(y − q), (p − 1)·(y − q)). `predicted` (N,)
    is the median, in log price like `half_widths` (N, 9) of the intervals with `COVERAGES`.
    """
    total = _loss(0.5, np.exp(predicted), actual)
    for coverage, half in zip(COVERAGES, half_widths.T, strict=True):
        tail = (1 - coverage) / 2
        total += _loss(tail, np.exp(predicted - half), actual)
        total += _loss(1 - tail, np.exp(predicted + half), actual)
    mean: Floats = total / (1 + 2 * len(COVERAGES))
    return mean


def _loss(level: float, quantile: Floats, actual: Floats) -> Floats:
    over = actual - quantile
    loss: Floats = np.maximum(level * over, (level - 1) * over)
    return loss
