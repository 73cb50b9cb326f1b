"""Evidence by betting: none under the null however often one looks, and the same seen from either side."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.forecasting.betting import MOST, STAKES, Capitals, Edge, edge
from stream_lstm.forecasting.loss_tally import BLOCKS, LossTally
from stream_lstm.forecasting.scoring import winkler_score

ONE = np.array([0])
bounds = st.floats(-1e3, 1e3, allow_nan=False)
widths = st.floats(1e-3, 1e3)


def interval(lower: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([lower]), np.array([lower + width])


def capitals(rows: int = 1) -> Capitals:
    made = Capitals(1)
    made.grow(rows)
    return made


@given(bounds, widths, bounds, widths, st.floats(-1e4, 1e4), st.floats(0.5, 0.99))
def test_the_difference_never_leaves_what_was_known_before(
    one: float, wide: float, other: float, also: float, actual: float, confidence: float
) -> None:
    found = edge(interval(one, wide), interval(other, also), np.array([actual]), confidence)
    assert abs(found.gain[0]) <= found.largest[0] * (1 + 1e-6) + 1e-6


@given(bounds, widths, bounds, widths, st.floats(-1e4, 1e4))
def test_exchanged_the_evidence_for_is_that_against(
    one: float, wide: float, other: float, also: float, actual: float
) -> None:
    told = []
    for first, second in (((one, wide), (other, also)), ((other, also), (one, wide))):
        made = capitals()
        made.update(ONE, ONE, edge(interval(*first), interval(*second), np.array([actual]), 0.9))
        told.append(made.evidence(ONE)[0, 0])
    np.testing.assert_allclose(told[0], told[1][::-1], rtol=1e-9)


@given(bounds, widths, bounds, widths, st.floats(-1e3, 1e3), st.floats(0.001, 1e3), st.floats(-1e3, 1e3))
def test_neither_the_unit_nor_the_zero_of_the_prices_matters(
    one: float, wide: float, other: float, also: float, actual: float, unit: float, zero: float
) -> None:
    plain = edge(interval(one, wide), interval(other, also), np.array([actual]), 0.9)
    moved = edge(
        interval(zero + one * unit, wide * unit),
        interval(zero + other * unit, also * unit),
        np.array([zero + actual * unit]),
        0.9,
    )
    np.testing.assert_allclose(moved.gain, plain.gain, rtol=1e-3, atol=1e-3 * (1 + plain.largest[0]))


@given(
    st.lists(st.tuples(st.floats(0.01, 50.0), st.floats(0.01, 1.0)), min_size=1, max_size=8),
)
def test_the_mean_capital_over_all_outcomes_of_fair_bets_is_one(fair: list[tuple[float, float]]) -> None:
    """Each difference is +a or −b with the probabilities that make its mean zero: exactly, by enumeration."""
    outcomes = 2 ** len(fair)
    made, chance = capitals(outcomes), np.ones(outcomes)
    rows, zero = np.arange(outcomes), np.zeros(outcomes, np.intp)
    for at, (largest, part) in enumerate(fair):
        up, down = largest * part, largest
        wins = (rows >> at) & 1 == 1
        chance *= np.where(wins, down / (up + down), up / (up + down))
        made.update(rows, zero, Edge(np.where(wins, up, -down), np.full(outcomes, largest)))
    evidence = made.evidence(rows)[:, 0]
    np.testing.assert_allclose(chance @ evidence, [1.0, 1.0], rtol=1e-9)


def test_who_looks_at_every_candle_is_deceived_no_more_often_than_alpha() -> None:
    rng, series, alpha = np.random.default_rng(4), 4_000, 0.05
    made, reached = capitals(series), np.zeros((series, 2), np.bool_)
    rows, zero = np.arange(series), np.zeros(series, np.intp)
    for _ in range(600):
        largest = rng.lognormal(-1, 1, series)
        loses = rng.random(series) < 0.05  # seldom and much, or often and little: as interval scores do
        gain = np.where(loses, -largest, largest * 0.05 / 0.95) * rng.choice([-1, 1], series)
        made.update(rows, zero, Edge(gain, largest))
        reached |= made.evidence(rows)[:, 0] >= 1 / alpha
    assert (reached.mean(axis=0) <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / series)).all()


def test_a_challenger_that_is_better_only_half_of_the_time_is_not_better() -> None:
    """The expected difference alternates in sign, its mean is zero: stakes that learn would be deceived."""
    rng, series, alpha = np.random.default_rng(5), 2_000, 0.05
    made, reached = capitals(series), np.zeros(series, np.bool_)
    rows, zero, largest = np.arange(series), np.zeros(series, np.intp), np.full(series, 0.5)
    for at in range(400):
        expected = 0.1 if at % 100 >= 50 else -0.1  # the worse half first
        gain = np.clip(expected + rng.normal(0, 0.1, series), -0.5, 0.5)
        made.update(rows, zero, Edge(gain, largest))
        reached |= made.evidence(rows)[:, 0, 0] >= 1 / alpha
    assert reached.mean() <= alpha


def test_a_gambler_never_loses_all() -> None:
    made = capitals()
    for _ in range(50):
        made.update(ONE, ONE, Edge(np.array([-7.0]), np.array([7.0])))
    better, worse = made.evidence(ONE)[0, 0]
    assert 0 < better < 1e-9
    assert worse > 1e6
    assert MOST == 0.5
    assert len(STAKES) == 3


def test_an_interval_that_is_too_narrow_does_not_win() -> None:
    """The ratio of scores, which needs no bounds, would be won by it: it shrinks the large penalties most."""
    rng, count = np.random.default_rng(6), 20_000
    actual = rng.standard_t(4, count)
    right, narrow = np.full(count, 2.13), np.full(count, 1.45)  # 90% and 78% of a Student t with 4
    right_scores, narrow_scores = (winkler_score(-half, half, actual, 0.9) for half in (right, narrow))
    assert ((right_scores - narrow_scores) / (right_scores + narrow_scores)).mean() > 0
    found = edge((-right, right), (-narrow, narrow), actual, 0.9)
    assert found.gain.mean() < 0
    made = capitals()
    for at in range(2_000):
        made.update(ONE, ONE, Edge(found.gain[at : at + 1], found.largest[at : at + 1]))
    better, worse = made.evidence(ONE)[0, 0]
    assert better < 1 < worse


@pytest.mark.parametrize("steps", [1, 4])
def test_the_variance_of_the_mean_is_that_of_dependent_differences(steps: int) -> None:
    """Moving sums of `steps` overlap as outcomes do: the test must not mistake them for so many facts."""
    rng, series, count = np.random.default_rng(7), 400, 3_000
    noise = np.lib.stride_tricks.sliding_window_view(
        rng.normal(size=(series, count + steps - 1)), steps, axis=1
    ).sum(axis=2)
    tally = LossTally(1)
    tally.grow(series)
    for row in range(series):
        tally.begin(row, (steps,))
    rows, zero, inside = np.arange(series), np.zeros(series, np.intp), np.ones((2, series), np.bool_)
    for at in range(count):
        tally.update(rows, zero, np.stack([1.0 + noise[:, at], np.ones(series)]), inside)
    told = [tally.read(row, 0) for row in range(series)]
    p_values = np.array([one.test.p_value for one in told if one is not None and one.test is not None])
    assert len(p_values) == series
    assert 0.02 < (p_values < 0.05).mean() < 0.09
    assert 0.4 < p_values.mean() < 0.6


def test_the_tally_counts_every_pair_whatever_its_blocks() -> None:
    tally = LossTally(2)
    tally.grow(1)
    tally.begin(0, (1, 3))
    count, one = 5 * BLOCKS + 7, np.array([1])
    for at in range(count):
        losses = np.array([[2.0], [1.0 + at % 2]])
        tally.update(ONE, one, losses, np.array([[True], [at % 4 == 0]]))
    told = tally.read(0, 1)
    assert told is not None
    assert told.outcomes == count
    assert told.loss == pytest.approx((2.0, 1.0 + (count // 2) / count))
    assert told.coverage == pytest.approx((1.0, math.ceil(count / 4) / count))
    assert tally.read(0, 0) is None
