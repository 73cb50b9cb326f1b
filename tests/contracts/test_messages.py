"""Predictions, scores and candles: what is accepted, what is not, and that the engine's own are."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles.decode import decode
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.contracts.candle import Candle
from stream_lstm.contracts.prediction import Direction, Prediction
from stream_lstm.contracts.score import Score
from stream_lstm.contracts.wire import Message, length_ms
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine

HOUR = 3_600_000
AS_OF = 1_728_125_999_999

PREDICTION: dict[str, Any] = {
    "id": f"binance:BTCUSDT:1h:{AS_OF}:4h",
    "revision": 0,
    "exchange": "binance",
    "symbol": "BTCUSDT",
    "interval": "1h",
    "horizon": "4h",
    "asOf": AS_OF,
    "lastClose": 65500.5,
    "predictions": [
        {
            "timestamp": AS_OF + step * HOUR,
            "predictedPrice": 65512.0,
            "lowerBound": 64900.5,
            "upperBound": 66140.7,
            "confidence": 0.95,
        }
        for step in (1, 2, 4)
    ],
    "direction": {"down": 0.32, "neutral": 0.36, "up": 0.32},
    "targetPct": 0.0176,
    "validUntil": AS_OF + HOUR,
    "quantiles": {"0.01": 63000.0, "0.1": 64480.1, "0.5": 65512.0, "0.99": 67990.0},
    "range": {"expectedPct": 0.021, "q90Pct": 0.039},
    "features": {
        "technicalIndicators": {
            "rsi": 55.1,
            "macd": -12.0,
            "ema20": 65400.0,
            "ema50": 65100.0,
            "bbUpper": 66100.0,
            "bbLower": 64700.0,
        },
        "onChainMetrics": {},
        "sentimentScore": 0,
        "marketRegime": "SIDEWAYS",
        "volatilityRegime": "NORMAL",
        "volatility": 0.0041,
        "momentum": -0.003,
    },
    "modelInfo": {
        "modelType": "lstm",
        "modelId": "4f2a",
        "version": "1.0.0",
        "lastTrained": 1_728_123_456_789,
        "accuracy": 0.993,
        "confidence": 0.95,
        "skill": -0.002,
        "intervalSkill": 0.06,
        "coverage": 0.949,
        "stale": False,
        "expiresAt": 1_728_209_856_789,
        "reason": None,
    },
    "generatedAt": 1_728_126_000_004,
}

SCORE: dict[str, Any] = {
    "id": f"binance:BTCUSDT:1h:{AS_OF}:4h",
    "revision": 0,
    "exchange": "binance",
    "symbol": "BTCUSDT",
    "interval": "1h",
    "horizon": "4h",
    "asOf": AS_OF,
    "target": AS_OF + 4 * HOUR,
    "predictedPrice": 65512.0,
    "lowerBound": 64900.5,
    "upperBound": 66140.7,
    "confidence": 0.95,
    "actualPrice": 65000.0,
    "error": -512.0,
    "inside": True,
    "winkler": 1240.2,
    "modelType": "hybrid",
    "modelId": None,
}

CANDLE: dict[str, Any] = {
    "exchange": "binance",
    "symbol": "BTCUSDT",
    "interval": "1h",
    "openTime": 1_728_122_400_000,
    "closeTime": 1_728_125_999_999,
    "open": 65432.1,
    "high": 65999.2,
    "low": 65000.1,
    "close": 65500.5,
    "volume": 1234.5,
    "closed": True,
}


def changed(message: dict[str, Any], path: str, value: object) -> bytes:
    """The message as JSON with one value changed; `path` has dots and indices."""
    made = deepcopy(message)
    at: Any = made
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in way:
        at = at[part]
    at[last] = value
    return json.dumps(made).encode()


def read(kind: type[Message], message: dict[str, Any]) -> Any:
    return kind.from_json(json.dumps(message))


@pytest.mark.parametrize(("kind", "message"), [(Prediction, PREDICTION), (Score, SCORE), (Candle, CANDLE)])
def test_what_is_read_is_written_again_as_it_was(kind: type[Message], message: dict[str, Any]) -> None:
    written = json.loads(read(kind, message).to_json())

    assert {name: value for name, value in written.items() if name in message} == message
    assert all(value is None for name, value in written.items() if name not in message)


def test_names_are_snake_case_in_python_and_may_be_given_so() -> None:
    prediction = read(Prediction, PREDICTION)

    assert prediction.last_close == 65500.5
    assert prediction.features.technical_indicators.bb_upper == 66100.0
    assert prediction.range.q90_pct == 0.039
    assert Direction(down=0.25, neutral=0.5, up=0.25).to_json() == b'{"down":0.25,"neutral":0.5,"up":0.25}'


def test_a_field_of_a_newer_version_is_ignored() -> None:
    assert read(Prediction, {**PREDICTION, "newInVersion9": 1}) == read(Prediction, PREDICTION)


@pytest.mark.parametrize(
    "path",
    [
        "range",
        "features/technicalIndicators",
        "features/marketRegime",
        "features/volatilityRegime",
        "features/volatility",
        "features/technicalIndicators/rsi",
        "modelInfo/modelId",
        "modelInfo/version",
        "modelInfo/lastTrained",
        "modelInfo/accuracy",
        "modelInfo/skill",
        "modelInfo/intervalSkill",
        "modelInfo/coverage",
        "modelInfo/expiresAt",
    ],
)
def test_what_is_not_known_yet_is_null(path: str) -> None:
    Prediction.from_json(changed(PREDICTION, path, None))


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("id", "binance:BTCUSDT:1h:1:4h", "id is 'binance:BTCUSDT:1h:1:4h'"),
        ("revision", -1, "revision"),
        ("interval", "1x", "interval"),
        ("predictions", [], "predictions"),
        ("predictions/1/lowerBound", 65512.0, "predictions.1"),
        ("predictions/1/upperBound", 65511.0, "rising order"),
        ("predictions/1/predictedPrice", float("nan"), "predictions.1.predictedPrice"),
        ("predictions/1/timestamp", AS_OF + HOUR, "do not rise"),
        ("predictions/0/timestamp", AS_OF, "do not rise"),
        ("predictions/2/timestamp", AS_OF + 3 * HOUR, "the horizon is"),
        ("direction/up", 0.33, "it must be 1"),
        ("direction/up", -0.32, "direction.up"),
        ("validUntil", AS_OF + 2 * HOUR, r"asOf \+ interval"),
        ("quantiles/0.1", 70000.0, r"quantile at 0\.1 is 70000\.0, above that at 0\.5"),
        ("quantiles/1.5", 70000.0, "'1.5' is no quantile level"),
        ("quantiles/median", 70000.0, "'median' is no quantile level"),
        ("targetPct", float("inf"), "targetPct"),
        ("lastClose", 0, "lastClose"),
        ("features/marketRegime", "SOARING", "marketRegime"),
        ("modelInfo/coverage", 1.1, "coverage"),
    ],
)
def test_a_prediction_that_contradicts_itself_is_refused(path: str, value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Prediction.from_json(changed(PREDICTION, path, value))


@pytest.mark.parametrize("field", sorted(PREDICTION))
def test_every_field_of_a_prediction_is_there(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        read(Prediction, {name: value for name, value in PREDICTION.items() if name != field})


def test_quantiles_are_ordered_by_level_not_by_their_place() -> None:
    backwards = dict(reversed(PREDICTION["quantiles"].items()))

    assert read(Prediction, {**PREDICTION, "quantiles": backwards}).quantiles == backwards


@given(st.floats(0, 1), st.floats(0, 1))
def test_probabilities_that_sum_to_one_but_for_rounding_are_accepted(first: float, share: float) -> None:
    down = first
    up = (1 - first) * share

    assert Direction(down=down, neutral=max(1 - down - up, 0.0), up=up).down == down


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("revision", 1, "revision"),
        ("target", AS_OF + 3 * HOUR, r"asOf \+ horizon"),
        ("inside", False, "the opposite"),
        ("actualPrice", 66140.8, "the opposite"),
        ("lowerBound", 66000.0, "rising order"),
        ("winkler", -1.0, "winkler"),
        ("id", "x", "id is 'x'"),
    ],
)
def test_a_score_that_contradicts_itself_is_refused(path: str, value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Score.from_json(changed(SCORE, path, value))


def test_a_price_on_the_bound_is_inside() -> None:
    assert Score.from_json(changed(SCORE, "actualPrice", 64900.5)).inside


@pytest.mark.parametrize("field", ["closeTime", "closed"])
def test_a_candle_may_leave_out_what_follows_from_the_rest(field: str) -> None:
    candle = read(Candle, {name: value for name, value in CANDLE.items() if name != field})

    assert candle.close == 65500.5


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("closeTime", 1_728_126_000_000, r"openTime \+ interval - 1"),
        ("high", 65400.0, "must be between low"),
        ("low", 65433.0, "must be between low"),
        ("close", -1.0, "close"),
        ("volume", -1.0, "volume"),
        ("open", float("nan"), "open"),
    ],
)
def test_a_candle_that_cannot_be_is_refused(path: str, value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Candle.from_json(changed(CANDLE, path, value))


def test_a_candle_by_the_contract_is_read_by_the_service() -> None:
    candle = read(Candle, CANDLE)

    update = decode_one(candle.to_json())
    assert (update.open_ms, update.close_ms) == (candle.open_time, candle.close_time)
    assert (update.open, update.high, update.low, update.close) == (65432.1, 65999.2, 65000.1, 65500.5)
    assert update.closed is True


def decode_one(value: bytes) -> Any:
    decoded = decode(value, record_ms=CANDLE["closeTime"] + 1)
    assert not decoded.bad
    (update,) = decoded.updates
    return update


@pytest.mark.parametrize("step", [HOUR, 4 * HOUR])
def test_what_the_engine_says_is_by_the_contract(step: int) -> None:
    interval = {HOUR: "1h", 4 * HOUR: "4h"}[step]
    start = 1_600_000_000_000 // step * step
    opens, bars = market(["AAA"], step_ms=step, start_ms=start, candles=160, seed=1)["AAA"]
    engine = Engine(EngineConfig(horizons=("1h", "4h", "1d", "7d")))
    key = SeriesKey("binance", "AAA", interval)
    predictions, scores = [], []
    for row in zip(opens.tolist(), *bars.T.tolist(), strict=True):
        engine.admit("candles-0", Closed(key, step, *row), None, live=True)
        for said in engine.advance(row[0] + step).values():
            predictions += [one.body for one in said.predictions]
            scores += [one.body for one in said.scores]

    assert predictions
    assert scores
    for body in predictions:
        assert json.loads(read(Prediction, body).to_json()) == body
    for body in scores:
        assert json.loads(read(Score, body).to_json()) == body


@pytest.mark.parametrize("length", ["", "h", "0h", "1", "1y", "1h ", "-1h", "1.5h"])
def test_what_is_no_length_is_refused_with_an_example(length: str) -> None:
    with pytest.raises(ValueError, match="such as 4h"):
        length_ms(length)
