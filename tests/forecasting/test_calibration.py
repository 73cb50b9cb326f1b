"""Calibrators: quantiles of what was seen, forgetting, warm start, tails; all read from one histogram."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_lstm.forecasting.calibration import HALF_LIFE_ONE_STEP, PRIOR_DEVIATION, PRIOR_SCORES, Calibrators

LEVELS = np.array([0.5, 0.8, 0.9, 0.95, 0.98])


def calibrators(rows: int = 1, steps: int = 1) -> tuple[Calibrators, np.ndarray]:
    made = Calibrators(1)
    made.grow(rows)
    for place in range(rows):
        made.begin(place, steps)
    return made, np.arange(rows).reshape(rows, 1)


def test_before_any_score_the_quantiles_are_those_of_a_student_t_of_its_deviation() -> None:
    made, places = calibrators()
    got = made.quantiles(places, LEVELS, made.tail(places))[0, 0]
    student = (
        np.array([0.7407, 1.5332, 2.1318, 2.7764]) * PRIOR_DEVIATION / np.sqrt(2)
    )  # two-sided, 4 degrees of freedom
    np.testing.assert_allclose(got[:4], student, rtol=0.01)
    assert made.effective_scores(places)[0, 0] == pytest.approx(PRIOR_SCORES, rel=1e-3)


def test_the_quantiles_become_those_of_the_scores() -> None:
    made, places = calibrators(rows=40)
    rng = np.random.default_rng(1)
    scores = np.abs(rng.normal(size=(6000, 40)))
    for row in scores:
        made.update(places[:, 0], row)
    got = made.quantiles(places, LEVELS, made.tail(places)).mean(axis=(0, 1))
    np.testing.assert_allclose(got, np.quantile(scores, LEVELS), rtol=0.02)


def test_old_scores_are_forgotten_with_the_half_life() -> None:
    made, places = calibrators()
    for _ in range(5000):
        made.update(places[:, 0], np.array([1.0]))
    assert made.probability_below(places, np.array([[[1.5]]]), made.tail(places))[0, 0, 0] > 0.95
    for _ in range(int(HALF_LIFE_ONE_STEP)):
        made.update(places[:, 0], np.array([2.0]))
    below = made.probability_below(places, np.array([[[1.5]]]), made.tail(places))[0, 0, 0]
    assert below == pytest.approx(0.5, abs=0.06)


def test_a_warm_start_equals_the_same_scores_one_by_one() -> None:
    scores = np.abs(np.random.default_rng(2).standard_t(4, 2500)).astype(np.float32)
    warm, places = calibrators()
    warm.replace(0, scores)
    slow, _ = calibrators()
    slow.replace(0, scores[:1])
    for score in scores[1:]:
        slow.update(places[:, 0], np.array([float(score)]))
    for level in LEVELS:
        one = warm.quantiles(places, np.array([level]), warm.tail(places))
        other = slow.quantiles(places, np.array([level]), slow.tail(places))
        np.testing.assert_allclose(one, other, rtol=1e-4)
    assert warm.effective_scores(places)[0, 0] == pytest.approx(slow.effective_scores(places)[0, 0])


@pytest.mark.slow
def test_the_weights_may_grow_for_ever() -> None:
    made, places = calibrators()
    rng = np.random.default_rng(3)
    for _ in range(70_000):
        made.update(places[:, 0], np.abs(rng.normal(size=1)))
    got = made.quantiles(places, LEVELS, made.tail(places))[0, 0]
    np.testing.assert_allclose(got[:3], [0.674, 1.282, 1.645], rtol=0.12)


def test_beyond_the_last_scores_the_tail_is_pareto_and_goes_on_growing() -> None:
    made, places = calibrators(rows=20)
    rng = np.random.default_rng(4)
    pareto = (1 - rng.random((4000, 20))) ** (-1 / 3)  # P(X > x) = x^-3
    for row in pareto:
        made.update(places[:, 0], row)
    tail = made.tail(places)
    levels = np.array([0.999, 0.9999])
    got = np.median(made.quantiles(places, levels, tail)[:, 0], axis=0)
    np.testing.assert_allclose(got, (1 - levels) ** (-1 / 3), rtol=0.35)
    assert np.median(tail.exponent) == pytest.approx(1 / 3, abs=0.06)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e6), max_size=200), st.sampled_from([1, 24]))
def test_quantiles_rise_and_invert_the_probability_whatever_came(scores: list[float], steps: int) -> None:
    made, places = calibrators(steps=steps)
    for score in scores:
        made.update(places[:, 0], np.array([score]))
    tail = made.tail(places)
    levels = np.array([0.01, 0.1, 0.3, 0.5, 0.8, 0.9, 0.95, 0.98, 0.999])
    got = made.quantiles(places, levels, tail)
    assert np.isfinite(got).all()
    assert (np.diff(got[0, 0]) >= 0).all()
    back = made.probability_below(places, got, tail)[0, 0]
    assert (back >= levels - 1e-3).all()  # a bin that holds much mass may be inverted past the level
    assert ((back >= 0) & (back <= 1)).all()


def test_a_place_does_not_depend_on_its_neighbours() -> None:
    rng = np.random.default_rng(5)
    scores = np.abs(rng.normal(size=(300, 9)))
    many, places = calibrators(rows=9)
    for row in scores:
        many.update(places[:, 0], row)
    one, place = calibrators()
    for row in scores:
        one.update(place[:, 0], row[4:5])
    together = many.quantiles(places, LEVELS, many.tail(places))[4]
    np.testing.assert_array_equal(together, one.quantiles(place, LEVELS, one.tail(place))[0])
