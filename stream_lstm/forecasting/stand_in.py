"""The naive forecast in place of a demoted model: its interval, and all else that a prediction tells.

The half-width is that of `naive`, whose quantile is followed online; the shape around it is a Student-t with
four degrees of freedom, as where a calibrator begins, since only that one quantile is known of its errors.
S series, K horizons.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.distribution import LEVELS, Distribution
from stream_lstm.forecasting.messages import DEMOTED
from stream_lstm.forecasting.ranges import RangeForecast
from stream_lstm.forecasting.saying import Numbers

Floats = NDArray[np.float64]

_DEVIATION: Final = np.sqrt(2.0)


def quantile(level: float | Floats) -> Floats:
    """Of the Student-t with four degrees of freedom (Shaw, 2006, Journal of Computational Finance 9).

    >>> quantile(0.975).round(3).item()
    2.776
    """
    level = np.asarray(level, np.float64)
    root = np.sqrt(4 * level * (1 - level))
    size = 2 * np.sqrt(np.maximum(np.cos(np.arccos(root) / 3) / root - 1, 0.0))
    return np.asarray(np.sign(level - 0.5) * size)


def probability(value: Floats) -> Floats:
    """That the same is below a value."""
    sine = value / np.sqrt(4.0 + value * value)
    below: Floats = 0.5 + 0.75 * sine - 0.25 * sine**3
    return below


def distribution(half_width: Floats, asked: float, config: EngineConfig) -> Distribution:
    """Around the last close; `half_width` (S, K) holds at the confidence `asked`, not at `config`'s."""
    scale = np.maximum.accumulate(half_width, axis=1) / quantile((1 + asked) / 2)
    band = config.neutral_band
    below = probability(np.log1p([-band, band]) / scale[..., None])
    down, up = below[..., 0], 1.0 - below[..., 1]
    return Distribution(
        np.zeros(scale.shape),
        scale * quantile((1 + config.confidence) / 2),
        scale[..., None] * quantile(np.array(LEVELS)),
        np.stack([down, 1.0 - down - up, up], axis=-1),
        scale * _DEVIATION,
    )


def in_place(
    forecast: Distribution, demoted: NDArray[np.bool_], half_width: Floats, asked: float, config: EngineConfig
) -> Distribution:
    """A forecast for S series with the naive distribution where the model is `demoted` (S,)."""
    if not demoted.any():
        return forecast
    return forecast.replaced(demoted, distribution(half_width[demoted], asked, config))


def said_as_such(numbers: Numbers, demoted: NDArray[np.bool_]) -> Numbers:
    """The same, said to be the naive forecast's where the model is `demoted` (S,)."""
    if not demoted.any():
        return numbers
    who, ranges = numbers.answerers.copy(), RangeForecast(*(column.copy() for column in numbers.ranges))
    for at in np.flatnonzero(demoted).tolist():
        who[at] = DEMOTED
    for column in ranges:  # nobody has measured those of the naive forecast
        column[demoted] = np.nan
    return numbers._replace(answerers=who, ranges=ranges)
