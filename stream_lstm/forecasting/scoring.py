"""Matured predictions: what was said against what came."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.open_predictions import Said

Floats = NDArray[np.float64]


class Verdicts(NamedTuple):
    """n matured predictions; prices in quote units."""

    predicted: Floats
    lower: Floats
    upper: Floats
    actual: Floats
    inside: NDArray[np.bool_]
    winkler: Floats
    naive_winkler: Floats
    """Score of the interval that anybody has without a model."""
    outside_naive: NDArray[np.bool_]
    relative_error: Floats
    """|log(actual / last close) − location| / scale: what the calibrator learns from."""


def winkler_score(lower: Floats, upper: Floats, actual: Floats, confidence: float) -> Floats:
    """Interval score of Winkler (1972, JASA 67): width, plus 2/α x how far the outcome fell outside.

    >>> winkler_score(np.array([1.0]), np.array([2.0]), np.array([2.5]), 0.9).round(6)
    array([11.])
    """
    penalty = 2.0 / (1.0 - confidence)
    score: Floats = (
        (upper - lower) + penalty * np.maximum(lower - actual, 0) + penalty * np.maximum(actual - upper, 0)
    )
    return score


def judge(said: Said, actual: Floats, confidence: float) -> Verdicts:
    """Score n predictions with the close of their target candle (n,)."""
    predicted, lower, upper = prices(said.close, said.location, said.half_width)
    inside = (lower <= actual) & (actual <= upper)
    moved = np.log(actual / said.close)
    _, naive_lower, naive_upper = prices(said.close, np.zeros(len(actual)), said.naive)
    return Verdicts(
        predicted,
        lower,
        upper,
        actual,
        inside,
        winkler_score(lower, upper, actual, confidence),
        winkler_score(naive_lower, naive_upper, actual, confidence),
        np.abs(moved) > said.naive,
        np.abs(moved - said.location) / said.scale,
    )


def prices(close: Floats, location: Floats, half_width: Floats) -> tuple[Floats, Floats, Floats]:
    """Predicted price, lower and upper bound; the same formula wherever a price is published or scored."""
    return (
        close * np.exp(location),
        close * np.exp(location - half_width),
        close * np.exp(location + half_width),
    )
