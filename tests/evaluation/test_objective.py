"""The objective of a search, and whether a difference is more than chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_lstm.evaluation.objective import Losses, compare, joined, mean_ratio

Floats = NDArray[np.float64]


def losses(ours: Floats, unit: Floats | None = None, first: int = 0) -> Losses:
    as_of = np.arange(first, first + len(ours), dtype=np.int64)
    return Losses(as_of, ours, np.ones(len(ours)) if unit is None else unit)


def drawn(seed: int, count: int = 400) -> Floats:
    return np.random.default_rng(seed).gamma(4.0, 0.25, count)


def test_the_objective_is_the_mean_of_ratios_and_not_the_ratio_of_means() -> None:
    small, large = losses(np.full(100, 0.5)), losses(np.full(100, 30.0), np.full(100, 20.0))
    assert mean_ratio([small, large]) == pytest.approx(1.0)


def test_fewer_than_fifty_forecasts_count_for_nothing() -> None:
    assert mean_ratio([losses(np.ones(49))]) is None
    assert mean_ratio([losses(np.ones(49)), losses(np.full(50, 2.0))]) == 2.0


@given(st.integers(0, 2**32 - 1), st.integers(60, 300), st.floats(0.5, 2))
def test_the_difference_is_that_of_the_objectives_whatever_the_files_have_in_common(
    seed: int, count: int, factor: float
) -> None:
    ours = {(0, "1h"): losses(drawn(seed)), (1, "1h"): losses(factor * drawn(seed + 1, count), first=350)}
    theirs = {place: each._replace(ours=drawn(seed + 2, len(each.ours))) for place, each in ours.items()}
    compared = compare(ours, theirs, 1)
    assert compared.ours == pytest.approx(mean_ratio(ours.values()))
    assert compared.difference.value == pytest.approx(compared.ours - compared.theirs)
    assert compared.difference.low <= compared.difference.high


def test_a_small_steady_gain_is_better_and_noise_is_not() -> None:
    theirs = {(0, "1h"): losses(drawn(1))}
    steady = {(0, "1h"): losses(drawn(1) - 0.01)}
    noise = {(0, "1h"): losses(drawn(1) + np.random.default_rng(2).normal(0, 0.2, 400))}
    steady[0, "1h"].ours[::2] -= 0.001  # without variance nothing can be tested
    assert compare(steady, theirs, 1).better
    assert compare(theirs, steady, 1).worse
    other = compare(noise, theirs, 1)
    assert not other.better
    assert not other.worse
    assert other.difference.low < 0 < other.difference.high


def test_files_that_move_together_are_no_more_evidence_than_one() -> None:
    noise = np.random.default_rng(3).normal(0, 0.2, 400)
    one = compare({(0, "1h"): losses(drawn(1) + noise)}, {(0, "1h"): losses(drawn(1))}, 1)
    many = compare(
        {(at, "1h"): losses(drawn(1) + noise) for at in range(9)},
        {(at, "1h"): losses(drawn(1)) for at in range(9)},
        1,
    )
    assert one.test is not None
    assert many.test is not None
    assert many.test.p_value == pytest.approx(one.test.p_value)


def test_nothing_to_compare_is_refused() -> None:
    few = {(0, "1h"): losses(np.ones(10))}
    with pytest.raises(ValueError, match="50 forecasts"):
        compare(few, few, 1)


def test_laps_are_joined_in_order() -> None:
    whole = joined([losses(np.ones(3)), losses(np.zeros(2), first=3)])
    assert whole.as_of.tolist() == [0, 1, 2, 3, 4]
    assert whole.ours.tolist() == [1, 1, 1, 0, 0]
