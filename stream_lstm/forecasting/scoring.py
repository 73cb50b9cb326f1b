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
    rank: NDArray[np.intp]
    """Which of the ten intervals between the published quantiles held the outcome, from 0."""
    model_winkler: Floats
    """Score of the model's own interval, published or not."""
    naive_winkler: Floats
    """Score of the interval that anybody has without a model."""
    naive_width: Floats
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
    location = np.where(said.demoted, 0.0, said.location)
    half_width = np.where(said.demoted, said.naive, said.half_width)
    predicted, lower, upper = prices(said.close, location, half_width)
    _, own_lower, own_upper = prices(said.close, said.location, said.half_width)
    _, naive_lower, naive_upper = prices(said.close, np.zeros(len(actual)), said.naive)
    moved = np.log(actual / said.close)
    return Verdicts(
        predicted,
        lower,
        upper,
        actual,
        (lower <= actual) & (actual <= upper),
        winkler_score(lower, upper, actual, confidence),
        _rank(moved - location, said.beyond),
        winkler_score(own_lower, own_upper, actual, confidence),
        winkler_score(naive_lower, naive_upper, actual, confidence),
        naive_upper - naive_lower,
        np.abs(moved) > said.naive,
        np.abs(moved - said.location) / said.scale,
    )


def _rank(error: Floats, beyond: Floats) -> NDArray[np.intp]:
    """Where an error (n,) lies between quantiles that are `beyond` (n, 4) on both sides of zero: 0…9."""
    middle = beyond.shape[1]
    outwards = (np.abs(error)[:, None] > beyond).sum(axis=1)
    rank: NDArray[np.intp] = np.where(error < 0, middle - outwards, middle + 1 + outwards)
    return rank


def prices(close: Floats, location: Floats, half_width: Floats) -> tuple[Floats, Floats, Floats]:
    """Predicted price, lower and upper bound; the same formula wherever a price is published or scored."""
    return (
        close * np.exp(location),
        close * np.exp(location - half_width),
        close * np.exp(location + half_width),
    )
