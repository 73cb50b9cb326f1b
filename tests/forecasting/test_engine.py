"""The engine: what it says about which candle, whoever shares the batch, and what it asks for."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_lstm.candles.series import Closed
from stream_lstm.features import FeatureSet
from stream_lstm.forecasting.engine import Admitted, Engine
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.models.registry import fit
from tests.forecasting.fed_engine import HORIZONS, HOUR, P, bodies, candles, engine, feed, moved


def test_the_hundredth_candle_is_answered_at_every_horizon_and_none_before() -> None:
    made = engine()
    rows = candles(count=101)
    before = feed(made, rows[:99])
    assert before.predictions == []
    assert [(event.type, event.data) for event in before.events] == [
        ("series.warming_up", {"candles": 1, "needed": 100})
    ]
    said = feed(made, rows[99:100])
    assert [one.horizon for one in said.predictions] == list(HORIZONS)
    body = said.predictions[2].body
    assert body["id"] == f"binance:AAA:1h:{rows[99].close_ms}:1d"
    assert body["lastClose"] == rows[99].close
    assert len(body["predictions"]) == 24
    assert body["predictions"][-1]["timestamp"] == rows[99].close_ms + 24 * HOUR
    assert body["modelInfo"]["modelType"] == "hybrid"
    assert body["modelInfo"]["reason"] == "no trained model yet"
    for point in body["predictions"]:
        assert point["lowerBound"] < point["predictedPrice"] < point["upperBound"]


def test_every_prediction_is_scored_once_against_the_close_of_its_target() -> None:
    rows = candles(count=200)
    said = feed(engine(confidence=0.9), rows)
    closes = {row.close_ms: row.close for row in rows}
    expected = {}
    for one in said.predictions:
        point = one.body["predictions"][-1]
        actual = closes.get(point["timestamp"])
        if actual is None:
            continue
        lower, upper = point["lowerBound"], point["upperBound"]
        outside = max(lower - actual, 0) + max(actual - upper, 0)
        expected[one.body["id"]] = {
            "target": point["timestamp"],
            "predictedPrice": point["predictedPrice"],
            "lowerBound": lower,
            "upperBound": upper,
            "actualPrice": actual,
            "error": actual - point["predictedPrice"],
            "inside": lower <= actual <= upper,
            "winkler": pytest.approx(upper - lower + 2 / 0.1 * outside),
        }
    assert len(said.scores) == len(expected) == 100 + 97 + 77
    for score in said.scores:
        wanted = expected[score.body["id"]]
        assert {name: score.body[name] for name in wanted} == wanted


def test_which_candles_share_an_advance_changes_nothing_that_is_said() -> None:
    series = [candles(symbol, 140) for symbol in "ABCDE"]
    one_by_one = feed(engine(), [row for moment in zip(*series, strict=True) for row in moment])
    together = engine()
    for rows in series:  # every candle of a series before the next series, one advance for all
        for row in rows:
            together.admit(P, row, None, live=True)
    assert bodies(together.advance(0)[P]) == bodies(one_by_one)


def test_the_predictions_of_a_series_come_in_the_order_of_its_candles() -> None:
    made = engine()
    for row in candles(count=150):
        made.admit(P, row, None, live=True)
    as_of = [one.body["asOf"] for one in made.advance(0)[P].predictions]
    assert as_of == sorted(as_of)


def test_a_silent_replay_says_nothing_and_changes_nothing_that_is_said_later() -> None:
    rows = candles(count=180)
    loud, silent = engine(), engine()
    feed(loud, rows[:150])
    assert bodies(feed(silent, rows[:150], live=False)) == []
    assert bodies(feed(silent, rows[150:])) == bodies(feed(loud, rows[150:]))


def test_the_same_candle_again_is_a_duplicate_and_an_old_unknown_one_is_late() -> None:
    made = engine()
    rows = candles(count=120)
    feed(made, rows[5:])
    assert made.admit(P, rows[-1], None, live=True) == Admitted("duplicate", None)
    assert made.admit(P, rows[50], None, live=True).outcome == "duplicate"
    assert made.admit(P, rows[0], None, live=True).outcome == "late"
    assert made.advance(0) == {}


def test_a_correction_of_the_newest_candle_revises_its_predictions() -> None:
    rows = candles(count=130)
    corrected = moved(rows[119], 1.01)
    made = engine()
    feed(made, rows[:120])
    said = feed(made, [corrected])
    assert [one.body["revision"] for one in said.predictions] == [1, 1, 1]
    assert said.scores == []
    right = engine()
    feed(right, rows[:119])
    first = feed(right, [corrected]).predictions
    for one, other in zip(said.predictions, first, strict=True):
        for name in ("id", "lastClose", "features"):
            assert one.body[name] == other.body[name]
    assert [one.body["revision"] for one in feed(made, [moved(rows[119], 1.02)]).predictions] == [2, 2, 2]
    assert [one.body["revision"] for one in feed(made, rows[120:121]).predictions] == [0, 0, 0]


def test_scores_are_for_revision_zero() -> None:
    rows = candles(count=130)
    made = engine()
    said = feed(made, rows[:120]).predictions[-3].body["predictions"][-1]
    feed(made, [moved(rows[119], 1.05)])
    score = feed(made, rows[120:121]).scores[0].body
    assert score["predictedPrice"] == said["predictedPrice"]
    assert score["upperBound"] == said["upperBound"]


def test_a_correction_of_an_older_candle_is_what_the_next_training_sees() -> None:
    rows = candles(count=130)
    made = engine()
    feed(made, rows)
    corrected = moved(rows[60], 1.5)
    assert made.admit(P, corrected, None, live=True).outcome == "correction"
    assert made.advance(0) == {}
    data = made.training_set(rows[0].series)
    assert data is not None
    assert data.candles[60, 3] == np.float32(corrected.close / rows[0].close)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_corrections_mean_the_same_whether_their_candle_was_worked_on_or_waits(data: st.DataObject) -> None:
    rows = candles(count=108)
    stream = list(rows)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(95, len(stream) - 1))
        again = data.draw(st.integers(90, 107))
        stream.insert(at, moved(rows[again], data.draw(st.sampled_from([1.0, 1.01]))))
    cuts = data.draw(st.lists(st.integers(1, len(stream)), max_size=6))
    single, batched = engine(), engine()
    said = feed(single, stream)
    parts = Outputs()
    edges = sorted({0, *cuts, len(stream)})
    for start, end in itertools.pairwise(edges):
        for row in stream[start:end]:
            batched.admit(P, row, None, live=True)
        part = batched.advance(0).get(P, Outputs())
        parts.predictions += part.predictions
        parts.scores += part.scores
    assert bodies(parts) == bodies(said)
    one, other = (made.series(rows[0].series) for made in (single, batched))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.history.candles(), other.history.candles())


def test_a_short_gap_is_filled_flat_and_the_fills_are_neither_answered_nor_scored() -> None:
    rows = candles(count=130)
    made = engine(max_gap=2)
    feed(made, rows[:110])
    said = feed(made, rows[112:113])
    assert [(event.type, event.data["missing"], event.data["filled"]) for event in said.events] == [
        ("series.gap", 2, True)
    ]
    assert {one.body["asOf"] for one in said.predictions} == {rows[112].close_ms}
    assert {score.body["target"] for score in said.scores} == {rows[112].close_ms}
    data = made.training_set(rows[0].series)
    assert data is not None
    assert np.flatnonzero(data.synthetic).tolist() == [110, 111]
    assert (data.candles[110:112, :4] == data.candles[109, 3]).all()
    assert (data.candles[110:112, 4] == 0).all()


def test_fills_do_not_count_towards_the_first_hundred() -> None:
    rows = candles(count=130)
    made = engine()
    del rows[50:53]
    assert feed(made, rows[:99]).predictions == []
    assert len(feed(made, rows[99:100]).predictions) == 3


def test_a_filled_candle_that_comes_late_is_a_correction_and_real_from_then_on() -> None:
    rows = candles(count=130)
    made = engine()
    feed(made, [*rows[:110], *rows[111:120]])
    assert made.admit(P, rows[110], None, live=True).outcome == "correction"
    made.advance(0)
    data = made.training_set(rows[0].series)
    assert data is not None
    assert not data.synthetic.any()


def test_a_long_gap_restarts_the_series_and_says_so() -> None:
    rows = candles(count=400)
    made = engine()
    feed(made, rows[:150])
    said = feed(made, rows[200:300])
    assert [event.type for event in said.events] == ["series.gap", "series.warming_up"]
    assert said.events[0].data == {
        "missing": 50,
        "filled": False,
        "from": rows[150].open_ms,
        "to": rows[199].close_ms,
    }
    assert {one.body["asOf"] for one in said.predictions} == {rows[299].close_ms}
    fresh = feed(engine(), rows[200:300]).predictions[-1].body["features"]
    assert said.predictions[-1].body["features"]["volatility"] == pytest.approx(fresh["volatility"], rel=1e-5)


def test_a_gap_of_any_length_is_filled_for_markets_that_print_no_empty_bar() -> None:
    rows = candles(count=200)
    made = engine(gap_policy="flat")
    feed(made, rows[:120])
    said = feed(made, rows[180:181])
    assert said.events[0].data["filled"] is True
    assert len(said.predictions) == 3


def test_a_model_is_asked_for_once_as_soon_as_there_is_enough_history() -> None:
    made = engine(model="har")
    rows = candles(count=105)
    requests = [made.admit(P, row, None, live=True).request for row in rows]
    asked = [request for request in requests if request is not None]
    assert [requests.index(one) for one in asked] == [99]
    assert asked[0].need == "no model"
    assert asked[0].due_ms == rows[99].close_ms


def test_a_silent_replay_asks_for_no_training() -> None:
    made = engine(model="har")
    rows = candles(count=105)
    assert all(made.admit(P, row, None, live=False).request is None for row in rows[:104])
    assert made.admit(P, rows[104], None, live=True).request is not None


def test_no_training_before_the_shortest_horizon_can_be_learned() -> None:
    made = engine(model="har", horizons=("12h",))
    rows = candles(count=245)
    requests = [made.admit(P, row, None, live=True).request is not None for row in rows]
    assert requests.index(True) == 239


def with_model(made: Engine, rows: list[Closed]) -> str:
    """Fit the yardstick model to what the engine has and install it; its id."""
    data = made.training_set(rows[0].series)
    assert data is not None
    (model,) = fit("naive", [data])
    assert made.install(rows[0].series, model)
    return model.model_id


def test_an_installed_model_answers_from_the_next_candle_on() -> None:
    made = engine()
    rows = candles(count=130)
    feed(made, rows[:120])
    model_id = with_model(made, rows)
    info = feed(made, rows[120:121]).predictions[0].body["modelInfo"]
    assert (info["modelType"], info["modelId"], info["stale"], info["reason"]) == (
        "naive",
        model_id,
        False,
        None,
    )
    assert info["lastTrained"] == rows[119].close_ms
    day = 86_400_000
    assert rows[119].close_ms + day <= info["expiresAt"] <= rows[119].close_ms + day * 1.05


def test_an_expired_model_goes_on_answering_and_is_labelled_stale_until_its_successor() -> None:
    made = engine(model="har", expiry_ms=5 * HOUR, expiry_jitter=0.0)
    rows = candles(count=140)
    feed(made, rows[:120])
    with_model(made, rows)
    for row in rows[120:124]:
        assert made.admit(P, row, None, live=True).request is None
    fresh = made.advance(0)[P].predictions
    assert not any(one.body["modelInfo"]["stale"] for one in fresh)
    request = made.admit(P, rows[124], None, live=True).request
    assert request is not None
    assert (request.need, request.due_ms) == ("expired", rows[119].close_ms + 5 * HOUR)
    said = made.advance(0)[P]
    assert [event.type for event in said.events] == ["model.expired"]
    assert all(one.body["modelInfo"]["stale"] for one in said.predictions)
    assert made.admit(P, rows[125], None, live=True).request is None  # asked already
    again = made.advance(0)[P]
    assert again.events == []
    assert all(one.body["modelInfo"]["stale"] for one in again.predictions)
    with_model(made, rows)
    assert not feed(made, rows[126:127]).predictions[0].body["modelInfo"]["stale"]


def test_models_do_not_all_expire_at_once() -> None:
    made = engine(expiry_jitter=0.5)
    expiries = set()
    for symbol in ("AAA", "BBB", "CCC", "DDD"):
        rows = candles(symbol, 120)
        feed(made, rows)
        with_model(made, rows)
        series = made.series(rows[0].series)
        assert series is not None
        assert series.expires_ms is not None
        expiries.add(series.expires_ms)
        assert 0 <= series.expires_ms - rows[-1].close_ms - 86_400_000 <= 43_200_000
    assert len(expiries) == 4


def test_a_series_of_longer_candles_leaves_out_what_is_shorter() -> None:
    said = feed(engine(), candles(count=100, step_ms=4 * HOUR))
    assert [one.horizon for one in said.predictions] == ["4h", "1d"]
    assert len(said.predictions[1].body["predictions"]) == 6


def test_a_dropped_partition_leaves_nothing_to_the_next_owner_of_its_rows() -> None:
    made = engine()
    rows = candles("AAA", 130)
    feed(made, rows, partition="a")
    with_model(made, rows)
    feed(made, candles("BBB", 130), partition="b")
    made.drop("a")
    assert len(made) == 1
    other = candles("CCC", 140, seed=9)
    assert bodies(feed(made, other, partition="c")) == bodies(feed(engine(), other))


def test_dropping_a_partition_forgets_its_candles_that_wait() -> None:
    made = engine()
    for row in candles("AAA", 120):
        made.admit("a", row, None, live=True)
    made.drop("a")
    assert made.advance(0) == {}


def test_open_times_that_change_their_phase_for_good_begin_anew() -> None:
    rows = candles(count=220)
    shifted = [row._replace(open_ms=row.open_ms + HOUR // 2) for row in rows[110:]]
    made = engine()
    feed(made, rows[:110])
    said = feed(made, shifted[:100])
    assert [event.type for event in said.events] == ["series.gap", "series.warming_up"]
    assert {one.body["asOf"] for one in said.predictions} == {shifted[99].close_ms}
    assert said.scores == []
    assert {score.body["target"] for score in feed(made, shifted[100:101]).scores} == {shifted[100].close_ms}


def test_a_training_set_has_the_candles_and_the_state_before_them() -> None:
    made = engine(history_candles=600)
    rows = candles(count=1700)
    for row in rows:
        made.admit(P, row, None, live=True)
        made.advance(0)
    data = made.training_set(rows[0].series)
    assert data is not None
    assert 600 <= len(data.candles) <= 600 + 512
    assert data.open_ms.tolist() == [row.open_ms for row in rows[-len(data.candles) :]]
    assert math.isclose(float(data.candles[-1, 3]) * data.reference, rows[-1].close, rel_tol=1e-6)
    whole = FeatureSet().run(
        FeatureSet().start(),
        np.array([[*row[3:7], row.volume] for row in rows]) @ np.diag([1 / rows[0].close] * 4 + [1.0]),
        np.array([row.open_ms for row in rows]),
        HOUR,
    )
    part = FeatureSet().run(data.state, data.candles, data.open_ms, HOUR)
    np.testing.assert_allclose(part.skip, whole.skip[-len(data.candles) :], atol=1e-3)
