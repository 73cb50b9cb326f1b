"""A model whose errors change is said to drift; one that is worse than nothing is demoted until repaired."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from stream_lstm.candles.series import Closed
from stream_lstm.forecasting.by_row import gathered, scattered
from stream_lstm.forecasting.config import DemotionConfig, DriftConfig
from stream_lstm.forecasting.drift_watch import DriftWatch, tamed
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Event, Outputs
from stream_lstm.forecasting.standing import DEMOTED, RESTORED, Standing
from stream_lstm.models.model import Arrays, Model
from stream_lstm.models.registry import fit
from tests.forecasting.fed_engine import HOUR, P, bodies, candles, engine, feed

ROW = np.array([0])


def alone(**changes: Any) -> Engine:
    return engine(horizons=("1h",), history_candles=600, **changes)


def narrow(arrays: Arrays) -> Arrays:
    """Of a model whose scale is a quarter of what it ought to be."""
    return {"skip_bias": arrays["skip_bias"] - np.log(4.0)}


def trained(made: Engine, spoil: Callable[[Arrays], Arrays] = lambda arrays: {}) -> Model:
    """A model of the only series, fitted now and spoiled; it answers."""
    (series,) = made.all_series()
    data = made.training_set(series.key)
    assert data is not None
    (model,) = fit("har", [data])
    assert isinstance(model, Model)
    model = replace(model, arrays={**model.arrays, **spoil(model.arrays)})
    made.install(series.key, model)
    return model


def until(made: Engine, rows: Iterable[Closed], kind: str) -> tuple[list[Closed], Event]:
    """Feed until an event is said; what is left, and the event."""
    left = list(rows)
    while left:
        said = feed(made, [left.pop(0)])
        for event in said.events:
            if event.type == kind:
                return left, event
    raise AssertionError(f"{kind} was never said")


def kinds(said: Outputs) -> list[str]:
    return [event.type for event in said.events if event.type in ("drift.detected", DEMOTED, RESTORED)]


# Drift


def watching(**changes: Any) -> DriftWatch:
    watch = DriftWatch(DriftConfig(**changes))
    watch.grow(1)
    watch.begin(0)
    return watch


def drifts(watch: DriftWatch, errors: np.ndarray, steps: int = 1, first: int = 0) -> list[tuple[int, str]]:
    found = []
    for at, error in enumerate(errors, start=first):
        told = watch.update(ROW, np.array([steps]), np.array([at]), np.array([error]))
        found += [(at, one.detector) for one in told]
    return found


def errors(count: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return scale * np.abs(np.random.default_rng(seed).standard_t(4, count))


def test_what_is_watched_is_bounded_and_grows_with_the_error() -> None:
    values = tamed(np.array([0.0, 0.1, 1.0, 3.0, 100.0, 1e300, np.inf]))
    assert (np.diff(values) >= 0).all()
    assert values[0] == 0
    assert values[-1] <= 1


@pytest.mark.parametrize("detector", ["page_hinkley", "adwin"])
def test_larger_errors_are_a_drift_and_the_cooldown_keeps_it_from_being_said_twice(detector: Any) -> None:
    watch = watching(detectors=(detector,), cooldown=300)
    assert not drifts(watch, errors(500))
    wider = drifts(watch, errors(300, 3.0), first=500)
    assert [name for _, name in wider] == [detector]
    said = wider[0][0]
    again = drifts(watch, np.tile(np.concatenate([errors(60, 0.2), errors(60, 5.0)]), 5), first=800)
    assert all(at >= said + 300 for at, _ in again)


def test_without_detectors_nothing_is_ever_a_drift() -> None:
    assert not drifts(watching(detectors=()), np.concatenate([errors(500), errors(500, 9.0)]))


def test_of_a_horizon_of_several_candles_only_outcomes_that_do_not_overlap_count() -> None:
    watch, other = watching(), watching()
    stream = np.concatenate([errors(800), errors(800, 4.0)])
    every = drifts(watch, stream, steps=4)
    assert every
    assert all(at % 4 == 0 for at, _ in every)
    assert [(at // 4, name) for at, name in every][:1] == drifts(other, stream[::4])[:1]


def test_a_drift_is_said_once_with_when_it_began_and_asks_for_a_training_if_it_may() -> None:
    rows = candles(count=1_500)
    made = alone(drift=DriftConfig(retrain=True), demotion=DemotionConfig(on=False), expiry_ms=10_000 * HOUR)
    feed(made, rows[:700])
    trained(made)
    assert not kinds(feed(made, rows[700:1_000]))
    trained(made, narrow)
    left, event = until(made, rows[1_000:], "drift.detected")
    assert event.data["horizon"] == "1h"
    assert event.data["direction"] == "wider"
    assert event.data["statistic"] > event.data["threshold"]
    assert abs(event.data["since"] - rows[999].close_ms) < 30 * HOUR
    assert event.data["retrain"]
    (series,) = made.all_series()
    (request,) = made.admit(P, left[0], None, live=True).requests
    assert request.need == "drift"
    made.advance(0)
    trained(made)
    assert not series.drifted
    trained(made, narrow)  # once more within the expiry: said, and no training
    made._forecaster._supervision._watch._quiet_until[:] = 0
    _, event = until(made, left[1:], "drift.detected")
    assert not event.data["retrain"]
    assert not series.drifted


def test_a_drift_of_a_silent_candle_is_not_said_and_counts_all_the_same() -> None:
    rows = candles(count=1_200)
    spoken, silent = alone(), alone()
    for made in (spoken, silent):
        feed(made, rows[:600])
        trained(made)
        feed(made, rows[600:900])
        trained(made, narrow)
    assert "drift.detected" in kinds(feed(spoken, rows[900:1_050]))
    assert not kinds(feed(silent, rows[900:1_050], live=False))
    assert bodies(feed(spoken, rows[1_050:])) == bodies(feed(silent, rows[1_050:]))


def test_with_retraining_a_candle_waits_for_the_work_on_the_one_before() -> None:
    rows = candles(count=3)
    for retrain in (False, True):
        made = alone(drift=DriftConfig(retrain=retrain))
        made.admit(P, rows[0], None, live=True)
        assert made.must_advance(rows[0].series) == retrain
        made.advance(0)
        assert not made.must_advance(rows[0].series)


# Demotion


def judged(scores: np.ndarray, **changes: Any) -> tuple[Standing, list[Any]]:
    """Of interval scores (n, 2), own and naive, of a horizon of one candle."""
    standing = Standing(1, DemotionConfig(**changes))
    standing.grow(1)
    standing.begin(0)
    return standing, told(standing, scores)


def told(standing: Standing, scores: np.ndarray) -> list[Any]:
    found = []
    for own, naive in scores:
        standing.update(ROW, ROW, np.array([1]), np.array([own]), np.array([naive]))
        found += standing.judge(ROW, np.array([[1]]))
    return found


def scores(count: int, ratio: float, seed: int = 1) -> np.ndarray:
    naive = 1.0 + np.random.default_rng(seed).pareto(3.0, count)
    noise = np.random.default_rng(seed + 1).lognormal(0.0, 0.3, count)
    return np.stack([naive * ratio * noise / np.exp(0.045), naive], axis=1)


def test_a_model_that_is_as_good_as_naive_or_little_worse_is_never_demoted() -> None:
    for ratio in (0.9, 1.0, 1.05):
        assert not judged(scores(5_000, ratio))[1]


def test_a_model_that_is_much_worse_falls_and_only_a_successor_that_is_not_rises() -> None:
    standing, found = judged(np.concatenate([scores(700, 0.95), scores(300, 2.0)]))
    assert [one.type for one in found] == [DEMOTED]
    assert found[0].ratio > 1.1
    assert standing.demoted(ROW)[0]
    assert not told(standing, scores(1_000, 0.5))  # itself it does not come back
    standing.succeed(0)
    assert not told(standing, scores(90, 0.9))  # too few
    assert standing.demoted(ROW)[0]
    assert [one.type for one in told(standing, scores(40, 0.9))] == [RESTORED]
    assert not standing.demoted(ROW)[0]


def test_a_successor_that_is_no_better_stays_in_the_shadow() -> None:
    standing, found = judged(scores(300, 2.0))
    assert [one.type for one in found] == [DEMOTED]
    standing.succeed(0)
    assert not told(standing, scores(1_000, 1.3))
    assert standing.demoted(ROW)[0]


def test_where_it_is_off_nobody_is_demoted_nor_stays_so_from_before() -> None:
    assert not judged(scores(1_000, 5.0), on=False)[1]
    fallen, _ = judged(scores(300, 2.0))
    off = Standing(1, DemotionConfig(on=False))
    off.grow(1)
    scattered({"it": off}, ROW, gathered({"it": fallen}, ROW))
    assert fallen.demoted(ROW)[0]
    assert not off.demoted(ROW)[0]


class Life(NamedTuple):
    """A model is fitted, spoiled, demoted, replaced by a good one, and restored."""

    fallen: Event
    spoiled: Model
    demoted: Outputs
    """What was said by the naive forecast with the spoiled model behind it."""
    before: Engine
    rest: list[Closed]
    risen: Event
    repaired: Model
    after: Outputs


SPOILED = {
    "too narrow": lambda arrays: {"skip_bias": arrays["skip_bias"] - np.log(3.0)},
    "too wide": lambda arrays: {"skip_bias": arrays["skip_bias"] + np.log(3.0)},
    "garbage": lambda arrays: {"skip_weights": -4.0 * arrays["skip_weights"]},
}


@pytest.fixture(scope="module", params=SPOILED)
def life(request: pytest.FixtureRequest) -> Life:
    """In a market whose calibrator has seen enough that it does not make a wrong scale good at once."""
    rows = candles(count=4_500, seed=2)
    made = alone(drift=DriftConfig(detectors=()))
    feed(made, rows[:700], live=False)
    trained(made)
    feed(made, rows[700:2_500], live=False)
    spoiled = trained(made, SPOILED[request.param])
    left, fallen = until(made, rows[2_500:], DEMOTED)
    demoted = feed(made, left[:150])
    assert not kinds(demoted)
    repaired = trained(made)
    other = alone(drift=DriftConfig(detectors=()))
    other.restore(P, made.export(P), {made.all_series()[0].key: repaired})
    rest, risen = until(made, left[150:], RESTORED)
    return Life(fallen, spoiled, demoted, other, left[150:], risen, repaired, feed(made, rest[:5]))


@pytest.mark.slow
def test_a_spoiled_model_is_replaced_by_the_naive_forecast(life: Life) -> None:
    assert life.fallen.data["modelId"] == life.spoiled.model_id
    assert life.fallen.data["winklerRatio"] > 1.1
    assert {one.model_type for one in life.demoted.predictions} == {"naive"}
    for one in life.demoted.predictions:
        info = one.body["modelInfo"]
        assert (info["modelType"], info["modelId"]) == ("naive", None)
        assert "worse than the naive" in info["reason"]
        assert one.body["range"] is None
        assert one.body["predictions"][-1]["predictedPrice"] == one.body["lastClose"]
        assert sum(one.body["direction"].values()) == pytest.approx(1.0)


@pytest.mark.slow
def test_what_the_naive_forecast_said_is_what_is_scored(life: Life) -> None:
    said = {one.body["id"]: one.body for one in life.demoted.predictions}
    checked = 0
    for score in life.demoted.scores:
        if score.body["id"] in said:
            point = said[score.body["id"]]["predictions"][-1]
            assert score.body["lowerBound"] == pytest.approx(point["lowerBound"], rel=1e-12)
            assert score.body["upperBound"] == pytest.approx(point["upperBound"], rel=1e-12)
            assert score.body["modelType"] == "naive"
            checked += 1
    assert checked > 100


@pytest.mark.slow
def test_a_repaired_model_comes_back_when_it_has_proved_itself(life: Life) -> None:
    assert life.risen.data["modelId"] == life.repaired.model_id
    assert life.risen.data["winklerRatio"] <= 1.0
    assert life.risen.data["outcomes"] >= 100
    assert {one.model_type for one in life.after.predictions} == {"har"}


@pytest.mark.slow
def test_restored_from_a_checkpoint_it_rises_at_the_same_candle(life: Life) -> None:
    _, event = until(life.before, life.rest, RESTORED)
    assert event == life.risen
