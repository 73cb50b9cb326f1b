"""A challenger in the shadow: tried on the same candles, promoted in place, and never heard before."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.planted import TYPES
from stream_lstm.candles.series import Closed
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.experiments import RESULT
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.forecasting.series import Series
from stream_lstm.forecasting.trial import PATIENCE, Plan, Trial
from stream_lstm.models.model import Model
from stream_lstm.models.registry import MODEL_TYPES, fit
from tests.forecasting.fed_engine import HOUR, P, bodies, candles, engine, feed

BEFORE = 260
ROWS = candles(count=1_200, seed=3)
KEY = ROWS[0].series
SOON = Plan("e1", "sharp", alpha=0.5, max_candles=2_000)
"""Decided when the evidence is 2: for tests of what follows, and not of the decision."""
YEAR = 365 * 24 * HOUR


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, one in TYPES.items():
        monkeypatch.setitem(MODEL_TYPES, name, one)


def model(made: Engine, name: str) -> Model:
    data = made.training_set(KEY)
    assert data is not None
    return fit(name, [data])[0]


def series(made: Engine) -> Series:
    found = made.series(KEY)
    assert found is not None
    return found


def begun(champion: str = "blurred", **config: Any) -> Engine:
    """An engine with a trained champion and no experiment."""
    made = engine(**{"model": champion, "horizons": ("1h", "4h"), "expiry_ms": YEAR, **config})
    feed(made, ROWS[:BEFORE])
    made.install(KEY, model(made, champion))
    return made


def tried(plan: Plan = SOON, champion: str = "blurred", **config: Any) -> Engine:
    made = begun(champion, **config)
    made.experiments.start(series(made), plan)
    assert made.experiments.install(series(made), model(made, plan.challenger))
    return made


def until_result(made: Engine, rows: list[Closed]) -> tuple[int, dict[str, Any]]:
    """How many candles that takes, and what is said."""
    for at, row in enumerate(rows, start=1):
        for event in feed(made, [row]).events:
            if event.type == RESULT:
                return at, event.data
    raise AssertionError(f"no result: {made.experiments.report(series(made))}")


def results(said: Outputs) -> Iterator[dict[str, Any]]:
    return (event.data for event in said.events if event.type == RESULT)


def test_a_challenger_says_nothing_and_changes_nothing() -> None:
    plan = SOON._replace(alpha=1e-9)
    beside, alone = tried(plan), begun()
    assert bodies(feed(beside, ROWS[BEFORE : BEFORE + 150])) == bodies(
        feed(alone, ROWS[BEFORE : BEFORE + 150])
    )
    report = beside.experiments.report(series(beside))
    assert report is not None
    assert report["candles"] == 150
    assert [one["outcomes"] for one in report["horizons"]] == [149, 146]


def test_who_is_promoted_answers_from_the_next_candle_on_without_a_cold_start() -> None:
    made = tried(SOON._replace(alpha=0.1))
    at, result = until_result(made, ROWS[BEFORE:])
    assert (result["outcome"], result["champion"], result["challenger"]) == ("promoted", "blurred", "sharp")
    assert result["horizons"][0]["eBetter"] >= 10
    said = feed(made, ROWS[BEFORE + at : BEFORE + at + 1])
    info = said.predictions[0].body["modelInfo"]
    assert (info["modelType"], info["modelId"]) == ("sharp", result["modelId"])
    assert info["coverage"] is not None
    assert {score.body["modelType"] for score in said.scores} == {"blurred"}, "what it said stays its own"
    assert made.experiments.report(series(made)) is None
    assert made.experiments.last_ended(series(made)) == result
    assert series(made).model_type == "sharp"
    assert not made.requests(KEY)
    made.retrain(KEY)
    assert [request.model_type for request in made.requests(KEY)] == ["sharp"]


def test_it_forecasts_then_as_it_has_in_the_shadow() -> None:
    """Promotion is a move: a champion of that type from the start says the same bounds."""
    made, other = tried(), begun("sharp")
    at, _ = until_result(made, ROWS[BEFORE:])
    feed(other, ROWS[BEFORE : BEFORE + at])
    mine, theirs = (one.inquiry.predict(series(one), 0) for one in (made, other))
    for one, two in zip(mine, theirs, strict=True):
        assert one.body["predictions"] == two.body["predictions"]
        assert one.body["quantiles"] == two.body["quantiles"]


def test_a_worse_one_is_rejected_and_the_champion_stays() -> None:
    made = tried(SOON._replace(challenger="blurred"), champion="sharp")
    at, result = until_result(made, ROWS[BEFORE:])
    assert result["outcome"] == "rejected"
    assert feed(made, ROWS[BEFORE + at : BEFORE + at + 1]).predictions[0].model_type == "sharp"


def test_an_experiment_that_nothing_decides_ends() -> None:
    made = tried(SOON._replace(alpha=1e-9, max_candles=30))
    at, result = until_result(made, ROWS[BEFORE:])
    assert (at, result["outcome"], result["candles"]) == (30, "undecided", 30)


def test_one_whose_challenger_gets_no_model_has_failed() -> None:
    made = begun()
    made.experiments.start(series(made), SOON)
    at, result = until_result(made, ROWS[BEFORE:])
    assert (at, result["outcome"]) == (PATIENCE, "failed")


def test_a_longer_horizon_may_forbid_a_promotion() -> None:
    trial = Trial(SOON, "blurred", since_ms=0, slot=0)
    better = np.array([[3.0, 0.1], [1.0, 1.0]])
    assert trial.outcome(better, pairs=50, has_model=True) == "promoted"
    assert trial.outcome(better, pairs=50, has_model=False) is None, "its model was deleted meanwhile"
    better[1, 1] = 2.5
    assert trial.outcome(better, pairs=50, has_model=True) == "rejected"


@pytest.mark.parametrize("candle", [40, 500])
def test_an_experiment_goes_on_in_another_engine_to_the_bit(candle: int) -> None:
    """Before it is decided, and after."""
    made = tried(SOON._replace(alpha=0.2))
    feed(made, ROWS[BEFORE : BEFORE + candle])
    other = engine(model="blurred", horizons=("1h", "4h"), expiry_ms=YEAR)
    champion, challenger = series(made).model, made.experiments.model(series(made))
    assert champion is not None
    other.restore(P, made.export(P), {KEY: champion}, {} if challenger is None else {KEY: challenger})
    rest = ROWS[BEFORE + candle : BEFORE + candle + 300]
    mine, theirs = feed(made, rest), feed(other, rest)
    assert bodies(mine) == bodies(theirs)
    assert list(results(mine)) == list(results(theirs))
    assert made.experiments.report(series(made)) == other.experiments.report(series(other))
    assert made.experiments.last_ended(series(made)) == other.experiments.last_ended(series(other))


def test_in_a_silent_replay_the_log_decides_and_the_state_is_the_same() -> None:
    live, silent = tried(), tried()
    at, result = until_result(live, ROWS[BEFORE:])
    feed(silent, ROWS[BEFORE : BEFORE + at], live=False)
    assert silent.experiments.report(series(silent)) is not None
    silent.experiments.conclude(series(silent), result)
    rest = ROWS[BEFORE + at : BEFORE + at + 60]
    assert bodies(feed(live, rest)) == bodies(feed(silent, rest))
    live.experiments.conclude(series(live), result)  # said again by the log
    rest = ROWS[BEFORE + at + 60 : BEFORE + at + 80]
    assert bodies(feed(live, rest)) == bodies(feed(silent, rest))


def test_a_rebuilt_series_knows_from_the_log_whose_type_is_trained() -> None:
    made, result = begun(), {"experimentId": "e0", "outcome": "promoted", "challenger": "sharp"}
    made.experiments.conclude(series(made), result)
    assert [request.model_type for request in made.requests(KEY)] == ["sharp"]


def test_a_start_that_is_read_again_begins_nothing_anew() -> None:
    made = tried()
    feed(made, ROWS[BEFORE : BEFORE + 5])
    made.experiments.start(series(made), SOON)
    report = made.experiments.report(series(made))
    assert report is not None
    assert report["candles"] == 5
    made.experiments.conclude(series(made), report | {"outcome": "stopped"})
    made.experiments.start(series(made), SOON)
    assert made.experiments.report(series(made)) is None


def test_both_are_trained_from_the_same_candles() -> None:
    made = engine(model="blurred", horizons=("1h", "4h"), expiry_ms=24 * HOUR, expiry_jitter=0.0)
    feed(made, ROWS[:BEFORE])
    made.install(KEY, model(made, "blurred"))
    feed(made, ROWS[BEFORE : BEFORE + 10])
    made.experiments.start(series(made), SOON._replace(alpha=1e-9))
    (request,) = made.requests(KEY)
    assert (request.role, request.model_type, request.need) == ("challenger", "sharp", "no model")
    assert not made.requests(KEY), "asked already"
    made.experiments.install(series(made), model(made, "sharp"))
    asked = []
    for row in ROWS[BEFORE + 10 : BEFORE + 26]:
        asked.append([one.role for one in made.admit(P, row, None, live=True).requests])
        made.advance(0)
    assert asked.index(["champion", "challenger"]) == 13  # a day after the champion was trained
    assert sum(map(len, asked)) == 2


def test_a_deletion_takes_the_challengers_model_too() -> None:
    made = tried()
    made.remove_model(KEY)
    assert made.experiments.model(series(made)) is None
    asked = made.admit(P, ROWS[BEFORE], None, live=True).requests
    assert [request.role for request in asked] == ["champion", "challenger"]


def test_a_series_without_an_experiment_has_no_slot() -> None:
    made = tried()
    other = candles("BBB", count=130, seed=8)
    feed(made, other)
    bbb = made.series(other[0].series)
    assert bbb is not None
    assert made.experiments.of(bbb) is None
    assert len(made.experiments) == 1
    made.forget(KEY)
    assert len(made.experiments) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("champion", "challenger", "expected"),
    [("blurred", "sharp", "promoted"), ("sharp", "blurred", "rejected")],
)
def test_what_is_planted_is_found(champion: str, challenger: str, expected: str) -> None:
    plan, found = Plan("e1", challenger, 0.05, 1_500), []
    for seed in range(10, 22):
        rows = candles(count=BEFORE + 1_500, seed=seed)
        made = engine(model=champion, horizons=("1h", "4h"), expiry_ms=YEAR)
        feed(made, rows[:BEFORE])
        made.install(KEY, model(made, champion))
        made.experiments.start(series(made), plan)
        made.experiments.install(series(made), model(made, challenger))
        _, result = until_result(made, rows[BEFORE:])
        found.append(result["outcome"])
    wrong = {"promoted": "rejected", "rejected": "promoted"}[expected]
    assert found.count(expected) >= 8
    assert wrong not in found
