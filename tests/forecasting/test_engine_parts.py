"""The small parts of the engine: history, open predictions, horizons, paths, the track record."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.errors import SettingsError
from stream_lstm.forecasting.history import BLOCK, History
from stream_lstm.forecasting.horizons import Horizon, horizon_ms, horizons_of
from stream_lstm.forecasting.open_predictions import OpenPredictions, Said
from stream_lstm.forecasting.paths import path_plan, path_steps
from stream_lstm.forecasting.track_record import ENOUGH, TrackRecord

SCORES = np.array([[3.0], [4.0]])
"""Winkler, of the interval and of the naive one."""


def candle(value: float) -> np.ndarray:
    return np.full(5, value, np.float32)


def test_history_keeps_at_least_its_limit_and_at_most_a_block_more() -> None:
    history = History(1000)
    for number in range(5000):
        history.append(candle(number), number, False, np.array([float(number)]))
        assert len(history) <= 1000 + BLOCK
    assert len(history) >= 1000
    assert history.steps()[-1] == 4999
    assert history.blocks[0].state[0] == history.steps()[0]  # the state before the oldest candle
    np.testing.assert_array_equal(history.candles()[:, 0], history.steps())


def test_history_finds_and_replaces_across_blocks_and_holes() -> None:
    history = History(10_000)
    numbers = [*range(600), *range(700, 1300)]
    for number in numbers:
        history.append(candle(number), number, number == 599, np.zeros(1))
    assert [history.find(number) is not None for number in (0, 599, 600, 699, 700, 1299, 1300)] == [
        True,
        True,
        False,
        False,
        True,
        True,
        False,
    ]
    history.replace(599, candle(-1))
    assert history.find(599)[0] == -1
    assert not history.synthetic().any()


def test_a_prediction_matures_with_its_target_and_only_then() -> None:
    open_predictions = OpenPredictions(2)
    open_predictions.grow(2)
    open_predictions.begin(1, (1, 3))
    row = np.array([1])
    for step in range(10):
        which, horizon, said, _ = open_predictions.matured(row, np.array([step]))
        expected = [(k, step - h) for k, h in enumerate((1, 3)) if step - h >= 0]
        assert [(k, int(close)) for k, close in zip(horizon, said.close, strict=True)] == expected
        assert (which == 0).all()
        value = np.full((1, 2), float(step))
        close, who = np.array([float(step)]), np.array([f"model {step}"], object)
        said = Said.unpublished(close, value, value, value, value, who)
        open_predictions.put(row, np.array([step]), said)


def test_a_missed_target_leaves_nothing_behind() -> None:
    open_predictions = OpenPredictions(1)
    open_predictions.grow(1)
    open_predictions.begin(0, (2,))
    ones = np.ones((1, 1))
    said = Said.unpublished(np.ones(1), ones, ones, ones, ones, np.array(["m"], object))
    open_predictions.put(np.array([0]), np.array([5]), said)
    assert len(open_predictions.matured(np.array([0]), np.array([9]))[0]) == 0
    open_predictions.end(0)
    open_predictions.begin(0, (2,))
    assert len(open_predictions.matured(np.array([0]), np.array([7]))[0]) == 0


def test_horizons_are_multiples_of_the_interval_within_the_limit() -> None:
    names = ("7d", "1h", "4h", "1d", "90m")
    hour = 3_600_000
    assert horizons_of(names, hour, 100) == (Horizon("1h", 1), Horizon("4h", 4), Horizon("1d", 24))
    assert horizons_of(names, 4 * hour, 2016)[0] == Horizon("4h", 1)
    assert horizons_of(names, 30 * hour, 2016) == ()


@pytest.mark.parametrize("name", ["", "h", "0h", "4", "4H", "1.5h", "-1h", "1y"])
def test_a_horizon_that_is_none_says_how_to_write_one(name: str) -> None:
    with pytest.raises(SettingsError, match="4h or 7d"):
        horizon_ms(name)


@given(st.integers(1, 3000), st.integers(1, 48))
def test_a_path_ends_at_its_horizon_and_rises(horizon: int, most: int) -> None:
    steps = path_steps(horizon, most)
    assert steps[-1] == horizon
    assert len(steps) == min(horizon, most)
    assert steps[0] >= 1
    assert all(one < two for one, two in itertools.pairwise(steps))
    gaps = np.diff((0, *steps))
    assert gaps.max() - gaps.min() <= 1


def test_paths_share_their_points() -> None:
    plan = path_plan((1, 4, 24), 24)
    assert plan.steps.tolist() == list(range(1, 25))
    assert plan.members[1].tolist() == [0, 1, 2, 3]


def test_the_record_is_unknown_until_there_are_enough_scores() -> None:
    record = TrackRecord(1)
    record.grow(1)
    place, horizon = np.array([0]), np.array([0])
    for _ in range(int(ENOUGH) - 1):
        record.update(place, horizon, np.array([True]), np.array([[101.0], [100.0], [102.0]]), SCORES)
    assert np.isnan(record.read(place).coverage[0, 0])
    for _ in range(5):
        record.update(place, horizon, np.array([True]), np.array([[101.0], [100.0], [102.0]]), SCORES)
    read = record.read(place)
    assert read.coverage[0, 0] == pytest.approx(1.0)
    assert read.accuracy[0, 0] == pytest.approx(0.99)
    assert read.skill[0, 0] == pytest.approx(0.5)


def test_the_last_close_has_no_skill_by_definition() -> None:
    record = TrackRecord(1)
    record.grow(1)
    rng = np.random.default_rng(0)
    for _ in range(50):
        outcome = np.array([[100.0], [100 + rng.normal()], [100.0]])
        record.update(np.array([0]), np.array([0]), np.array([True]), outcome, SCORES)
    assert record.read(np.array([0])).skill[0, 0] == 0


def test_the_winkler_ratio_is_that_of_the_sums() -> None:
    record = TrackRecord(1)
    record.grow(1)
    for _ in range(20):
        outcome = np.array([[101.0], [100.0], [102.0]])
        record.update(np.array([0]), np.array([0]), np.array([True]), outcome, SCORES)
    assert record.read(np.array([0])).winkler[0, 0] == pytest.approx(0.75)


def test_a_range_spans_the_candles_after_the_prediction_up_to_its_target() -> None:
    made = OpenPredictions(1)
    made.grow(2)
    made.begin(0, (2,))
    row, value = np.array([0]), np.zeros((1, 1))
    bars = [(9.0, 1.0), (5.0, 4.0), (7.0, 3.0), (6.0, 5.0)]
    spreads = []
    for step, (high, low) in enumerate(bars):
        made.widen(row, np.array([high]), np.array([low]))
        spreads += made.matured(row, np.array([step]))[3].tolist()
        said = Said.unpublished(np.array([2.0]), value, value, value, value, np.array(["m"], object))
        made.put(row, np.array([step]), said)
    assert spreads == [(7.0 - 3.0) / 2.0, (7.0 - 3.0) / 2.0]
