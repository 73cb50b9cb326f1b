"""Ranges and the quantile that is followed in one number: what is told is what comes."""

import numpy as np
import pytest

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.quantile_tracker import QuantileTracker
from stream_lstm.forecasting.ranges import ENOUGH, RangeCalibrators
from stream_lstm.models.registry import fit

HOUR = 3_600_000
ROWS = np.arange(40)
FIRST = np.zeros(40, np.intp)


def test_a_quantile_is_found_wherever_it_began() -> None:
    rng = np.random.default_rng(1)
    tracker = QuantileTracker(1, 0.9, 5.0)
    tracker.grow(40)
    for row in ROWS.tolist():
        tracker.begin(row, (1,))
    found = []
    for at in range(3_000):
        value = np.abs(rng.normal(size=40))
        estimate = tracker.read(ROWS)[:, 0]
        if at >= 1_000:
            found.append(value <= estimate)
        tracker.update(ROWS, FIRST, value > estimate)
    assert np.mean(found) == pytest.approx(0.9, abs=0.005)
    assert np.median(tracker.read(ROWS)) == pytest.approx(1.645, rel=0.06)


def test_clusters_of_a_long_horizon_do_not_carry_the_quantile_away() -> None:
    tracker = QuantileTracker(2, 0.9, 2.0)
    tracker.grow(1)
    tracker.begin(0, (1, 168))
    for _ in range(168):  # one independent outcome of the longer horizon
        tracker.update(np.array([0, 0]), np.array([0, 1]), np.array([True, True]))
    short, long = tracker.read(np.array([0]))[0]
    assert long < 2.0 * np.exp(1.3) < short


def test_ranges_are_told_when_enough_have_matured_and_in_proportion_to_the_scale() -> None:
    rng = np.random.default_rng(2)
    ranges = RangeCalibrators(1)
    ranges.grow(40)
    for row in ROWS.tolist():
        ranges.begin(row, (1,))
    ratios = 1.5 * np.exp(0.4 * rng.normal(size=(2_000, 40)))
    for number, ratio in enumerate(ratios):
        told = ranges.forecast(ROWS, np.full((40, 1), 0.02)).expected
        assert np.isnan(told).all() == (number < ENOUGH)
        ranges.update(ROWS, FIRST, ratio)
    told = ranges.forecast(ROWS, np.full((40, 1), 0.02))
    np.testing.assert_allclose(told.expected.mean(), 0.02 * ratios.mean(), rtol=0.02)
    np.testing.assert_allclose(np.median(told.q90), 0.02 * np.quantile(ratios, 0.9), rtol=0.05)


@pytest.mark.slow
def test_the_ranges_of_the_messages_are_exceeded_one_time_in_ten() -> None:
    opens, bars = market(["A"], step_ms=HOUR, start_ms=1_577_836_800_000, candles=2_500, seed=5)["A"]
    key = SeriesKey("x", "A", "1h")
    engine = Engine(EngineConfig(horizons=("1h", "4h"), model="hybrid"))
    below: dict[str, list[bool]] = {"1h": [], "4h": []}
    shares: dict[str, list[float]] = {"1h": [], "4h": []}
    for at, row in enumerate(zip(opens.tolist(), *bars.T.tolist(), strict=True)):
        engine.admit(0, Closed(key, HOUR, *row), None, live=True)
        for said in engine.advance(0).values():
            for one in said.predictions:
                ahead = bars[at + 1 : at + 1 + {"1h": 1, "4h": 4}[one.horizon]]
                told = one.body["range"]
                if told is None or not len(ahead):
                    continue
                came = (ahead[:, 1].max() - ahead[:, 2].min()) / bars[at, 3]
                below[one.horizon].append(came <= told["q90Pct"])
                shares[one.horizon].append(came / told["expectedPct"])
    for horizon in below:
        assert len(below[horizon]) > 2_200
        assert np.mean(below[horizon]) == pytest.approx(0.9, abs=0.02)
        assert np.mean(shares[horizon]) == pytest.approx(1.0, abs=0.06)


def test_another_type_of_model_begins_its_ranges_anew() -> None:
    opens, bars = market(["A"], step_ms=HOUR, start_ms=1_577_836_800_000, candles=460, seed=5)["A"]
    key = SeriesKey("x", "A", "1h")
    engine = Engine(EngineConfig(horizons=("1h",), model="har"))
    told = []
    for at, row in enumerate(zip(opens.tolist(), *bars.T.tolist(), strict=True)):
        engine.admit(0, Closed(key, HOUR, *row), None, live=True)
        told += [one.body["range"] for said in engine.advance(0).values() for one in said.predictions]
        if at == 350:
            data = engine.training_set(key)
            assert data is not None
            engine.install(key, fit("har", [data])[0])
    assert told[250] is not None
    assert told[252] is None
    assert told[-1] is not None
