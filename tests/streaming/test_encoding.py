"""What the engine says, as records that keep the contracts."""

from typing import Any

import orjson
import pytest

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.contracts.event import Event
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.score import Score
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.kafka.records import Record
from stream_lstm.streaming.encoding import STATE_HEADER, Encoder
from stream_lstm.streaming.facts import Fact, parse
from stream_lstm.streaming.partition import Cause

HOUR = 3_600_000
KEY = SeriesKey("binance", "BTC/USDT", "1h")
TRACE = [("traceparent", b"00-abc-def-01"), ("other", b"x")]


@pytest.fixture(scope="module")
def said() -> Outputs:
    """Everything that a young series says over 30 answered candles."""
    engine, whole = Engine(EngineConfig(model="hybrid")), Outputs()
    open_ms, bars = market(["BTC"], step_ms=HOUR, start_ms=10**9 * HOUR // HOUR, candles=130, seed=1)["BTC"]
    for at, row in zip(open_ms.tolist(), bars.tolist(), strict=True):
        engine.admit("p", Closed(KEY, HOUR, at, *row), Cause(0.0, TRACE), live=True)
        outputs = engine.advance(1_700_000_000_123).get("p", Outputs())
        whole.predictions += outputs.predictions
        whole.scores += outputs.scores
        whole.events += outputs.events
    return whole


@pytest.fixture(scope="module")
def records(said: Outputs) -> dict[str, list[Record]]:
    by_topic: dict[str, list[Record]] = {}
    for record in Encoder("app", "w1").outputs(said):
        by_topic.setdefault(record.topic, []).append(record)
    return by_topic


def headers(record: Record) -> dict[str, bytes]:
    return dict(record.headers)


def test_all_that_is_said_is_encoded_events_first(said: Outputs, records: dict[str, list[Record]]) -> None:
    assert [len(records[topic]) for topic in ("predictions", "scores", "model-events")] == [
        len(said.predictions),
        len(said.scores),
        len(said.events),
    ]
    topics = [record.topic for record in Encoder("app", "w1").outputs(said)]
    assert topics == sorted(topics, key=["model-events", "scores", "predictions"].index)


def test_values_keep_their_contracts(records: dict[str, list[Record]]) -> None:
    for record in records["predictions"]:
        assert record.value is not None
        Prediction.from_json(record.value)
    for record in records["scores"]:
        assert record.value is not None
        Score.from_json(record.value)
    for record in records["model-events"]:
        assert record.value is not None
        Event.from_json(record.value)


def test_keys_are_the_symbol_and_headers_are_cloud_events(records: dict[str, list[Record]]) -> None:
    for topic, kind in (("predictions", b"stream-lstm.prediction"), ("scores", b"stream-lstm.score")):
        for record in records[topic]:
            found = headers(record)
            assert record.key == b"BTC/USDT"
            assert found["ce_specversion"] == b"1.0"
            assert found["ce_type"] == kind
            assert found["ce_source"] == b"app/w1"
            assert found["ce_subject"] == b"BTC/USDT"
            assert found["content-type"] == b"application/json"


def test_an_id_has_the_revision_and_is_unique(records: dict[str, list[Record]]) -> None:
    ids = [headers(record)["ce_id"] for record in records["predictions"]]
    assert len(set(ids)) == len(ids)
    body = orjson.loads(records["predictions"][0].value or b"")
    assert ids[0].decode() == f"{body['id']}:0"


def test_the_trace_context_is_passed_on_and_nothing_else(records: dict[str, list[Record]]) -> None:
    for record in (*records["predictions"], *records["scores"], *records["model-events"]):
        assert headers(record)["traceparent"] == b"00-abc-def-01"
        assert "other" not in headers(record)


def test_the_state_header_changes_with_every_candle(said: Outputs, records: dict[str, list[Record]]) -> None:
    states = [int(headers(record)[STATE_HEADER], 16) for record in records["predictions"]]
    assert states == [prediction.state for prediction in said.predictions]
    assert len(set(states)) == len(states) / 4


def test_a_fact_can_be_read_again() -> None:
    fact = Fact(kind="model.trained", series=KEY, topic="candles", partition=2, offset=7, body={"path": "a"})
    record = Encoder("app", "w1").fact(fact, 99)
    assert parse(record.value) == fact
    assert record.key == b"BTC/USDT"
    assert headers(record)["ce_id"].decode() == fact.id


@pytest.mark.parametrize(
    ("kind", "data", "series"),
    [
        ("worker.started", {"version": "1"}, None),
        ("series.stale", {"lastClose": 1, "intervals": 3}, KEY),
        ("partition.restored", {"topic": "c", "partition": 0, "offset": 3}, None),
        ("model.training_failed", {"error": "no memory"}, KEY),
    ],
)
def test_events_of_the_worker_keep_their_contract(kind: str, data: Any, series: SeriesKey | None) -> None:
    encoder = Encoder("app", "w1")
    first, second = encoder.own(kind, data, about="a", series=series), encoder.own(kind, data, about="b")
    assert first.value is not None
    event = Event.from_json(first.value)
    assert event.type == kind
    assert event.worker_id == "w1"
    assert event.symbol == (series.symbol if series else None)
    assert headers(first)["ce_id"] != headers(second)["ce_id"]
