"""What people ask of a running engine: say it again, pause, retrain, do without this model."""

from typing import Any

import numpy as np
import pytest

from stream_lstm.contracts.prediction import Prediction
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Outputs, Seat
from stream_lstm.forecasting.seats import give_up
from stream_lstm.models.registry import fit
from tests.forecasting.fed_engine import HOUR, P, bodies, candles, engine, feed, moved

ROWS = candles(count=700)
KEY = ROWS[0].series


def with_model(made: Engine) -> Engine:
    data = made.training_set(KEY)
    assert data is not None
    made.install(KEY, fit("har", [data])[0])  # type: ignore[arg-type]
    return made


def fed(count: int = 600, *, model: bool = True) -> tuple[Engine, Outputs]:
    """An engine, and what it said of its last candle."""
    made = engine()
    feed(made, ROWS[: count - 20])
    if model:
        with_model(made)
    feed(made, ROWS[count - 20 : count - 1])
    return made, feed(made, ROWS[count - 1 : count])


def again(made: Engine, **asked: Any) -> list[Any]:
    series = made.series(KEY)
    assert series is not None
    return made.inquiry.predict(series, 0, **asked)


def told(predictions: list[Any]) -> list[dict[str, Any]]:
    return [one.body for one in predictions]


@pytest.mark.parametrize("model", [True, False])
def test_it_says_again_what_it_has_said(model: bool) -> None:
    made, said = fed(model=model)

    assert told(again(made)) == told(said.predictions)


def test_it_says_a_revision_again() -> None:
    made, _ = fed()
    said = feed(made, [moved(ROWS[599], 1.001)])

    assert told(said.predictions)[0]["revision"] == 1
    assert told(again(made)) == told(said.predictions)


def test_asking_changes_nothing() -> None:
    asked, _ = fed()
    other, _ = fed()
    again(asked)
    again(asked, confidence=0.5)
    again(asked, untrained=True)

    assert bodies(feed(asked, ROWS[600:650])) == bodies(feed(other, ROWS[600:650]))


def test_another_confidence_is_another_interval_of_the_same_distribution() -> None:
    made, _ = fed()
    at_half, published = (told(again(made, confidence=c))[0] for c in (0.5, None))

    assert at_half["quantiles"] == published["quantiles"]
    assert at_half["modelInfo"]["confidence"] == at_half["predictions"][-1]["confidence"] == 0.5
    assert at_half["modelInfo"]["coverage"] is None
    point = at_half["predictions"][-1]
    assert point["lowerBound"] == pytest.approx(at_half["quantiles"]["0.25"], rel=1e-9)
    assert point["upperBound"] == pytest.approx(at_half["quantiles"]["0.75"], rel=1e-9)


def test_asked_for_the_forecaster_that_needs_no_model() -> None:
    made, _ = fed()
    body = told(again(made, untrained=True))[0]

    Prediction.model_validate(body)
    info = body["modelInfo"]
    assert info["modelType"] == "hybrid"
    assert [info[name] for name in ("modelId", "accuracy", "skill", "coverage")] == [None] * 4


def test_a_young_series_says_nothing() -> None:
    made = engine()
    feed(made, ROWS[:99])

    assert again(made) == []


def test_a_paused_series_learns_and_says_nothing() -> None:
    made, _ = fed()
    steady, _ = fed()
    assert made.pause(KEY, True)
    paused = feed(made, ROWS[600:640])
    through = feed(steady, ROWS[600:640])

    assert not paused.predictions
    # Only what was said is scored, as if nothing had happened.
    longest = ROWS[599].close_ms
    assert [one.body for one in paused.scores] == [
        one.body for one in through.scores if one.body["asOf"] <= longest
    ]
    made.pause(KEY, False)
    (shortest, *_) = feed(made, ROWS[640:641]).predictions
    (unpaused, *_) = feed(steady, ROWS[640:641]).predictions
    assert shortest.body["features"] == unpaused.body["features"]
    assert {one.body["asOf"] for one in feed(made, ROWS[641:642]).scores} <= {
        *range(longest, 0, -HOUR),
        ROWS[640].close_ms,
    }


def test_a_paused_series_asks_for_no_training() -> None:
    made = engine()
    feed(made, ROWS[:90])
    made.pause(KEY, True)

    assert not made.requests(KEY)
    assert not any(made.admit(P, row, None, live=True).requests for row in ROWS[90:130])
    made.advance(0)
    made.pause(KEY, False)
    assert made.requests(KEY)


def test_a_retraining_is_asked_for_once_and_done_with_the_next_model() -> None:
    made, _ = fed()
    assert not made.requests(KEY)
    made.retrain(KEY)
    (request,) = made.requests(KEY)

    assert request.need == "asked for"
    assert not made.requests(KEY)
    with_model(made)
    assert not made.requests(KEY)


def test_without_its_model_the_hybrid_answers_and_the_next_candle_makes_a_training_due() -> None:
    made, said = fed()
    assert told(said.predictions)[0]["modelInfo"]["modelType"] == "har"
    made.remove_model(KEY)
    assert not made.requests(KEY), "the same candles would make the same model"
    after = feed(made, ROWS[600:601])

    info = told(after.predictions)[0]["modelInfo"]
    assert (info["modelType"], info["modelId"], info["expiresAt"]) == ("hybrid", None, None)
    give_up(made, Seat(KEY))
    (request,) = made.requests(KEY)
    assert request.need == "no model"


def test_what_was_asked_of_a_series_survives_its_export() -> None:
    made, _ = fed()
    made.pause(KEY, True)
    made.retrain(KEY)
    other = engine()
    series = made.series(KEY)
    assert series is not None
    assert series.model is not None
    other.restore(P, made.export(P), {KEY: series.model})

    assert not feed(other, ROWS[600:601]).predictions
    other.pause(KEY, False)
    give_up(other, Seat(KEY))
    (request,) = other.requests(KEY)
    assert request.need == "asked for"


def test_a_state_of_a_version_that_could_not_pause_is_read() -> None:
    made, _ = fed()
    state = made.export(P)
    for one in state.series:
        del one["paused"], one["retrain"], one["deleted"]
    other = engine()
    other.restore(P, state, {})

    assert feed(other, ROWS[600:601]).predictions


def test_unknown_series_are_not_steered() -> None:
    made, nobody = engine(), KEY._replace(symbol="NONE")

    assert not any([made.pause(nobody, True), made.retrain(nobody), made.remove_model(nobody)])
    assert not made.requests(nobody)


def test_the_regimes_of_the_past_end_with_the_one_that_is_said() -> None:
    made, said = fed()
    series = made.series(KEY)
    assert series is not None
    markets = made.inquiry.markets(series, 200)

    assert len(markets.closes) == len(markets.regimes) == 200
    assert markets.close_ms.tolist() == [row.close_ms for row in ROWS[400:600]]
    assert markets.regimes[-1] == told(said.predictions)[0]["features"]["marketRegime"]


def test_how_far_off_it_was() -> None:
    made, _ = fed()
    series = made.series(KEY)
    assert series is not None
    errors = made.inquiry.errors(series)

    assert 0 < errors.absolute[0, 0] < errors.root_square[0, 0]
    assert np.isclose(errors.percentage[0, 0], errors.absolute[0, 0], rtol=0.05)
    assert errors.explained[0, 0] <= 0.1
