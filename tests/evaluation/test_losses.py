"""Losses and resamplings, against sums done by hand."""

import numpy as np
import pytest

from stream_lstm.evaluation.losses import pinball
from stream_lstm.evaluation.significance import Between, ratios_by_chance


def test_pinball_is_the_mean_over_all_nineteen_quantiles() -> None:
    widths = np.linspace(0.05, 0.01, 9)
    predicted, actual = 0.002, 1.03
    by_hand = []
    for percent in range(5, 100, 5):
        level = percent / 100
        shift = 0.0 if percent == 50 else widths[min(percent, 100 - percent) // 5 - 1]
        quantile = np.exp(predicted + np.sign(level - 0.5) * shift)
        over = actual - quantile
        by_hand.append(level * over if over > 0 else (level - 1) * over)
    found = pinball(np.array([predicted]), widths[None], np.array([actual]))
    assert found[0] == pytest.approx(np.mean(by_hand))


def test_the_median_alone_costs_half_the_error() -> None:
    loss = pinball(np.zeros(2), np.zeros((2, 9)), np.array([1.1, 0.9]))
    assert loss == pytest.approx([0.05, 0.05])


def test_equal_losses_have_a_ratio_without_doubt() -> None:
    losses = np.random.default_rng(0).exponential(size=300)
    assert ratios_by_chance(losses, losses, 4) == pytest.approx(np.ones(500))
    assert ratios_by_chance(2 * losses, losses, 4) == pytest.approx(np.full(500, 2.0))


def test_the_span_of_a_resampled_mean_is_that_of_the_mean() -> None:
    losses = np.random.default_rng(1).normal(10, 1, 4_000)
    span = Between.of(10.0, 10 * ratios_by_chance(losses, np.full(4_000, 10.0), 1))
    assert span.high - span.low == pytest.approx(2 * 1.645 / np.sqrt(4_000), rel=0.2)
    assert span.low < losses.mean() < span.high


def test_overlapping_losses_leave_more_doubt() -> None:
    noise = np.random.default_rng(2).normal(0, 1, 4_023)
    overlapping = 10 + np.convolve(noise, np.ones(24), "valid") / np.sqrt(24)
    ones = np.ones(len(overlapping))
    apart, together = (np.std(ratios_by_chance(overlapping, ones, steps)) for steps in (1, 24))
    assert apart < together == pytest.approx(np.sqrt(24 / 4_000), rel=0.25)


def test_resamplings_are_the_same_every_time() -> None:
    losses = np.random.default_rng(3).exponential(size=200)
    first, second = (ratios_by_chance(losses, losses[::-1].copy(), 2) for _ in range(2))
    assert np.array_equal(first, second)
