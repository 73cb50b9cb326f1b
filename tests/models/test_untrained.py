"""`naive` and `hybrid` by their formulas: they answer from the market alone."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_lstm.models import hybrid, naive
from stream_lstm.models.market_view import MarketView

Floats = NDArray[np.float64]


def view_of_closes(closes: Floats, sigma: float = 0.01) -> MarketView:
    count = len(closes)
    return MarketView(
        skip=np.zeros((count, 37)),
        window=np.zeros((count, 20, 8)),
        closes=closes,
        log_base=np.zeros(count),
        log_slow=np.zeros(count),
        log_ewma=np.full(count, np.log(sigma)),
        steps=np.tile(np.array([1, 4, 24, 0], np.int64), (count, 1)),
    )


def walk(seed: int, count: int = 3) -> Floats:
    moves = 0.01 * np.random.default_rng(seed).standard_normal((count, 20))
    closes: Floats = np.exp(np.cumsum(moves, axis=1))
    return closes


def test_naive_says_the_last_close_and_a_width_that_grows_with_the_root_of_time() -> None:
    said = naive.forecast(view_of_closes(walk(0), sigma=0.02))
    assert not said.location.any()
    np.testing.assert_allclose(np.exp(said.log_scale[:, :3]), 0.02 * np.sqrt([[1, 4, 24]] * 3))
    assert said.heads.tolist() == [3, 3, 3]


def test_the_trend_is_half_regression_and_half_smoothed_return() -> None:
    closes = walk(1)
    for row, trend in zip(np.log(closes), hybrid.trend(closes), strict=True):
        slope = np.polyfit(np.arange(20), row, 1)[0]
        smoothed = weight = 0.0
        for move in np.diff(row):
            smoothed, weight = 0.8 * smoothed + 0.2 * move, 0.8 * weight + 0.2
        assert trend == pytest.approx((slope + smoothed / weight) / 2, abs=1e-12)


def test_hybrid_believes_a_twentieth_of_the_trend_and_lets_it_die_out() -> None:
    closes = np.exp(0.001 * np.arange(20.0))[None]
    said = hybrid.forecast(view_of_closes(closes))
    reach = 20 * (1 - np.exp(-np.array([1, 4, 24]) / 20))
    np.testing.assert_allclose(said.location[0, :3], 0.05 * 0.001 * reach)


def test_hybrid_has_the_width_of_naive_and_never_leaves_half_of_it() -> None:
    steep = np.exp(np.array([0.5, -0.5])[:, None] * np.arange(20.0))
    view = view_of_closes(steep)
    said = hybrid.forecast(view)
    np.testing.assert_array_equal(said.log_scale, naive.forecast(view).log_scale)
    half = 0.5 * 0.01 * np.sqrt([1, 4])
    np.testing.assert_allclose(said.location[:, :2], [half, -half])


def test_they_answer_alike_in_any_company(view_of: Callable[..., MarketView]) -> None:
    view = view_of_closes(walk(2, count=90))
    for forecast in (naive.forecast, hybrid.forecast):
        together = forecast(view)
        for at in range(90):
            alone = forecast(view.take(np.array([at])))
            assert alone.location.tobytes() == together.location[at : at + 1].tobytes()
            assert alone.log_scale.tobytes() == together.log_scale[at : at + 1].tobytes()
