"""The unit, against loops that anybody can read."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.evaluation.reference import (
    MINIMUM,
    WINDOW,
    ewma_volatility,
    rolling_quantiles,
    target_rows,
    unit_half_widths,
)


def walk(count: int, seed: int = 1) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, count)))


def test_volatility_is_the_weighted_mean_of_squared_returns() -> None:
    close = walk(200)
    returns = np.diff(np.log(close))
    variance = float((returns[:50] ** 2).mean())
    for row in range(1, 200):
        variance = 0.94 * variance + 0.06 * returns[row - 1] ** 2
        assert ewma_volatility(close)[row] == pytest.approx(math.sqrt(variance))


def test_volatility_knows_nothing_of_what_comes() -> None:
    close = walk(300)
    changed = np.concatenate([close[:200], close[200:] * 3])
    assert np.array_equal(ewma_volatility(close)[:200], ewma_volatility(changed)[:200])


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3]), st.sampled_from([0.5, 0.9, 0.99]))
def test_the_rolling_quantile_is_that_of_the_newest_known_scores(seed: int, steps: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    count = MINIMUM + WINDOW + 60
    scores = rng.exponential(size=count)
    ready = np.arange(count) + steps
    ready[ready >= count] = -1
    found = rolling_quantiles(scores, ready, (0.3, level))[:, 1]
    for row in (MINIMUM + steps - 2, MINIMUM + steps - 1, 300, count - 1):
        known = sorted(scores[: max(row - steps + 1, 0)][-WINDOW:])
        if len(known) < MINIMUM:
            assert math.isnan(found[row])
        else:
            assert found[row] == known[min(len(known), math.ceil((len(known) + 1) * level)) - 1]


def test_a_target_is_the_candle_that_is_so_much_later_by_the_clock() -> None:
    open_ms = np.array([0, 10, 20, 50, 60], np.int64)
    assert target_rows(open_ms, 10, 1).tolist() == [1, 2, -1, 4, -1]
    assert target_rows(open_ms, 10, 3).tolist() == [-1, -1, 3, -1, -1]


def test_the_unit_covers_what_it_says_on_a_random_walk() -> None:
    close = walk(6_000)
    targets = target_rows(np.arange(6_000), 1, 1)
    half = unit_half_widths(ewma_volatility(close), close, targets, (0.9,))[:, 0]
    known = np.isfinite(half) & (targets >= 0)
    moved = np.abs(np.log(close[targets[known]] / close[known]))
    assert (moved <= half[known]).mean() == pytest.approx(0.9, abs=0.015)
