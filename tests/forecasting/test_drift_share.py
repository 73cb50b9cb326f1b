"""How much of a drift is said: what its past has earned."""

import numpy as np
import pytest

from stream_lstm.forecasting.drift_share import DriftShare

ROW, STEPS = np.array([0]), np.array([[1]])


def share_after(count: int, slope: float, steps: int = 1, noise: float = 1.0, seed: int = 0) -> float:
    """κ after `count` forecasts whose outcomes were slope x drift + noise, both of size 0.01."""
    rng = np.random.default_rng(seed)
    share = DriftShare(1)
    share.grow(1)
    for drift, chance in 0.01 * rng.standard_normal((count, 2)):
        moved = slope * drift + noise * chance
        share.update(ROW, np.array([0]), np.array([drift]), np.array([moved]))
    return float(share.read(ROW, np.array([[steps]]))[0, 0])


def test_nothing_is_said_before_there_is_a_past() -> None:
    assert share_after(1_999, 1.0) == 0.0
    assert share_after(2_000, 1.0) > 0.9


def test_a_drift_is_said_as_far_as_it_came_true() -> None:
    assert share_after(5_000, 0.5) == pytest.approx(0.5, abs=0.03)
    assert share_after(5_000, 2.0) == pytest.approx(1.0, abs=0.01)


def test_a_drift_that_was_wrong_is_never_said() -> None:
    assert share_after(3_000, -0.5) == 0.0


def test_of_noise_hardly_anything_is_said() -> None:
    assert np.mean([share_after(2_000, 0.0, seed=seed) for seed in range(20)]) < 0.01


def test_outcomes_that_overlap_prove_less() -> None:
    assert share_after(2_500, 0.15, steps=168) == 0.0
    assert share_after(2_500, 0.15) > 0.1


def test_a_series_that_begins_anew_has_no_past() -> None:
    share = DriftShare(2)
    share.grow(2)
    for _ in range(2_100):
        share.update(np.array([1, 1]), np.array([0, 1]), np.ones(2), np.ones(2))
    assert share.read(np.array([0, 1]), np.ones((2, 2), np.int64)).round(2).tolist() == [[0, 0], [1, 1]]
    share.begin(1)
    assert not share.read(np.array([1]), np.ones((1, 2), np.int64)).any()
