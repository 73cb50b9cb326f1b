"""Page-Hinkley and ADWIN, value by value, beside river's; and what only ours can: many places, put back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift as river

from stream_lstm.forecasting.adwin import LEVELS, PER_LEVEL, Adwin
from stream_lstm.forecasting.by_row import gathered, scattered
from stream_lstm.forecasting.detection import Detector
from stream_lstm.forecasting.page_hinkley import ALPHA, MIN_COUNT, PageHinkley

HERE = np.array([0])


@st.composite
def streams(draw: st.DrawFn) -> list[float]:
    """Values in 0…1 whose level and spread change now and then."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    part = st.tuples(st.integers(1, 400), st.floats(0, 0.8), st.floats(0, 0.2))
    parts = draw(st.lists(part, min_size=1, max_size=5))
    return np.concatenate([low + width * rng.random(count) for count, low, width in parts]).tolist()


def begun(detector: Detector, places: int = 1) -> Detector:
    detector.grow(places)
    detector.begin(np.arange(places))
    return detector


def found(detector: Detector, stream: list[float]) -> list[int]:
    return [at for at, value in enumerate(stream) if detector.update(HERE, np.array([value])).changed[0]]


def found_by_river(detector: river.PageHinkley | river.ADWIN, stream: list[float]) -> list[int]:
    places = []
    for at, value in enumerate(stream):
        detector.update(value)
        if detector.drift_detected:
            places.append(at)
    return places


@given(streams(), st.sampled_from([0.5, 2.0, 5.0]), st.sampled_from([0.0, 0.005, 0.1]))
@settings(max_examples=60, deadline=None)
def test_page_hinkley_finds_what_river_finds(stream: list[float], threshold: float, delta: float) -> None:
    theirs = river.PageHinkley(min_instances=MIN_COUNT, threshold=threshold, delta=delta, alpha=ALPHA)
    assert found(begun(PageHinkley(threshold, delta)), stream) == found_by_river(theirs, stream)


@given(streams(), st.sampled_from([0.002, 0.05, 0.3]))
@settings(max_examples=60, deadline=None)
def test_adwin_finds_what_river_finds(stream: list[float], delta: float) -> None:
    assert found(begun(Adwin(delta)), stream) == found_by_river(river.ADWIN(delta=delta), stream)


@pytest.mark.parametrize("detector", [PageHinkley(2.0, 0.05), Adwin(0.1)], ids=["page-hinkley", "adwin"])
def test_a_change_is_told_with_its_direction_and_when_it_began(detector: Detector) -> None:
    rng = np.random.default_rng(3)
    begun(detector)
    for level, upwards in ((0.2, []), (0.5, [True]), (0.1, [False])):
        told = []
        for since in range(400):
            seen = detector.update(HERE, level + 0.1 * rng.random(1))
            if seen.changed[0]:
                told.append(bool(seen.upwards[0]))
                assert seen.statistic[0] > seen.threshold[0]
                assert abs(int(seen.since[0]) - since) < 40
        assert told == upwards


@pytest.mark.parametrize("detector", [PageHinkley(1.0, 0.05), Adwin(0.3)], ids=["page-hinkley", "adwin"])
def test_places_do_not_know_of_each_other_and_may_move(detector: Detector) -> None:
    rng = np.random.default_rng(5)
    values = np.where(np.arange(1_200) % 300 < 150, 0.2, 0.7) + 0.2 * rng.random((3, 1_200))
    alone = [found(begun(type(detector)(*_of(detector))), row.tolist()) for row in values]
    begun(detector, 5)
    rows, told = np.array([4, 0, 2]), [[], [], []]  # type: ignore[var-annotated]
    for at in range(1_200):
        if at == 700:  # taken out and put into another
            arrays = gathered({"it": detector}, rows)
            detector = begun(type(detector)(*_of(detector)), 3)
            rows = np.arange(3)
            scattered({"it": detector}, rows, arrays)
        for which in np.flatnonzero(detector.update(rows, values[:, at]).changed):
            told[which].append(at)
    assert told == alone
    assert all(alone)


def _of(detector: Detector) -> tuple[float, ...]:
    if isinstance(detector, PageHinkley):
        return detector._threshold, detector._delta
    assert isinstance(detector, Adwin)
    return (detector._delta,)


@pytest.mark.slow
def test_a_window_that_is_full_loses_its_oldest_and_still_finds_a_change() -> None:
    rng, detector = np.random.default_rng(7), Adwin(1e-9)
    begun(detector)
    full = PER_LEVEL * (2**LEVELS - 1)
    for _ in range(full + 3_000):
        assert not detector.update(HERE, rng.random(1)).changed[0]
    assert full - 2**LEVELS <= detector.width(HERE)[0] <= full + LEVELS
    assert found(detector, (0.5 + rng.random(500)).tolist())


def test_a_window_takes_a_kilobyte() -> None:
    detector = begun(Adwin(0.1))
    assert sum(array[0].nbytes for array in detector.by_row().values()) < 1_500
