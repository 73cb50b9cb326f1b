"""Events and their data; the schemas that other languages read."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from stream_lstm.candles.series import SeriesKey
from stream_lstm.contracts.event import DATA, Event, ModelTrained, PartitionRebuilt, SeriesGap
from stream_lstm.contracts.schemas import schemas
from stream_lstm.streaming.facts import Fact, encode, parse

SERIES = {"exchange": "binance", "symbol": "BTCUSDT", "interval": "1h"}
PLAN: dict[str, Any] = {
    "experimentId": "c81f02d4",
    "challenger": "har",
    "alpha": 0.05,
    "maxCandles": 2_000,
    "share": 0.1,
}
FIGURES: dict[str, Any] = {
    "champion": "lstm",
    "modelId": "90d1f6ab23ce",
    "since": 1_728_125_999_999,
    "candles": 2,
    "horizons": [
        {
            "horizon": "1h",
            "eBetter": 1.2,
            "eWorse": 0.8,
            "outcomes": 1,
            "winkler": 0.02,
            "challengerWinkler": 0.01,
            "difference": 0.01,
            "coverage": 1.0,
            "challengerCoverage": 0.0,
            "dieboldMariano": {"statistic": 2.9, "pValue": 0.004},
        }
    ],
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "model.trained": {"modelId": "4f2a", "path": "models/x/4f2a.safetensors"},
    "model.training_failed": {"error": "120 candles are too few", "retryInSeconds": 4.0},
    "model.expired": {"expiresAt": 1_728_209_856_789},
    "model.quarantined": {"path": "quarantine/x/4f2a.safetensors", "reason": "checksum"},
    "model.demoted": {"modelId": "4f2a", "horizon": "1h", "winklerRatio": 1.3, "outcomes": 402.5},
    "model.restored": {"modelId": "4f2a", "horizon": "1h", "winklerRatio": 0.9, "outcomes": 101.0},
    "drift.detected": {
        "detector": "adwin",
        "horizon": "1h",
        "direction": "narrower",
        "statistic": 0.21,
        "threshold": 0.2,
        "since": 1_728_125_999_999,
        "retrain": False,
    },
    "model.deleted": {"modelId": "4f2a", "commandId": "c-1"},
    "models.cleaned_up": {"deletedCount": 2, "maxAgeDays": 30.0, "commandId": "c-1"},
    "model.retrain_requested": {"commandId": "c-1"},
    "experiment.started": {**PLAN, "commandId": "c-1"},
    "experiment.stopped": {**PLAN, **FIGURES, "commandId": "c-1"},
    "experiment.result": {**PLAN, **FIGURES, "outcome": "promoted"},
    "experiments.told": {"commandId": "c-1", "experiments": []},
    "series.paused": {"commandId": "c-1"},
    "series.resumed": {"commandId": "c-1"},
    "series.split": {"topic": "candles", "partition": 2, "ownerTopic": "candles", "ownerPartition": 0},
    "series.warming_up": {"candles": 1, "needed": 100},
    "series.gap": {"missing": 7, "filled": False, "from": 1_728_126_000_000, "to": 1_728_151_199_999},
    "series.stale": {"lastClose": 1_728_125_999_999, "intervals": 3},
    "partition.restored": {"topic": "candles", "partition": 3, "offset": 12, "seconds": 1.5},
    "partition.rebuilt": {
        "topic": "candles",
        "partition": 3,
        "offset": 12,
        "reason": "offset not in the log",
    },
    "partition.full": {"topic": "candles", "partition": 3, "series": 10_000},
    "topic.resized": {"topic": "candles", "partition": 3, "before": 3, "partitions": 6},
    "worker.started": {"version": "0.1.0"},
    "worker.stopped": {"reason": "SIGTERM"},
}


def event(type: str, data: dict[str, Any], **envelope: Any) -> bytes:
    return orjson.dumps({"id": "e1", "type": type, "at": 1_728_126_000_000, "data": data, **envelope})


def test_every_type_has_an_example() -> None:
    assert set(EXAMPLES) == set(DATA)


@pytest.mark.parametrize("type", EXAMPLES)
def test_an_event_is_written_as_it_was_read(type: str) -> None:
    read = Event.from_json(event(type, EXAMPLES[type], workerId="w-0", **SERIES))
    written = orjson.loads(read.to_json())

    assert written == {
        **{"id": "e1", "type": type, "at": 1_728_126_000_000, "workerId": "w-0", **SERIES},
        "appliedAt": None,
        "data": EXAMPLES[type],
    }
    assert type_of(read) is DATA[type]


def type_of(read: Event) -> type:
    return type(read.payload)


def test_the_data_are_read_by_their_type() -> None:
    gap = Event.from_json(event("series.gap", EXAMPLES["series.gap"])).payload

    assert gap == SeriesGap(missing=7, filled=False, from_=1_728_126_000_000, to=1_728_151_199_999)


def test_a_gap_that_cannot_be_counted_is_null() -> None:
    gap = Event.from_json(event("series.gap", {"missing": None, "reason": "phase changed"})).payload

    assert gap == SeriesGap(missing=None, reason="phase changed")


def test_an_event_of_a_newer_version_is_passed_on() -> None:
    read = Event.from_json(event("market.holiday", {"name": "New Year"}))

    assert read.payload is None
    assert read.data == {"name": "New Year"}


def test_data_that_do_not_fit_their_type_are_refused() -> None:
    with pytest.raises(ValueError, match="needed"):
        Event.from_json(event("series.warming_up", {"candles": 1}))


def test_half_a_series_is_refused() -> None:
    with pytest.raises(ValueError, match="come together"):
        Event.from_json(event("worker.started", {"version": "1"}, symbol="BTCUSDT"))


def test_a_fact_is_an_event() -> None:
    fact = Fact(
        kind="model.trained",
        series=SeriesKey("binance", "BTCUSDT", "1h"),
        topic="candles",
        partition=3,
        offset=12,
        candles=1,
        body=EXAMPLES["model.trained"],
    )
    read = Event.from_json(encode(fact, 1_728_126_000_000))

    assert read.payload == ModelTrained(model_id="4f2a", path="models/x/4f2a.safetensors")
    assert read.applied_at is not None
    assert (read.applied_at.topic, read.applied_at.offset, read.applied_at.candles) == ("candles", 12, 1)
    assert parse(read.to_json()) == fact


def test_a_rebuild_says_why() -> None:
    with pytest.raises(ValueError, match="reason"):
        PartitionRebuilt.model_validate(EXAMPLES["partition.restored"])


@pytest.mark.parametrize("name", schemas())
def test_a_schema_names_itself(name: str) -> None:
    schema = schemas()[name]

    assert schema["$id"] == f"urn:stream-lstm:{name}:1"
    assert schema["$schema"].startswith("https://json-schema.org/draft/2020-12")
    assert schema["description"]


def properties(schema: Any) -> Iterator[str]:
    """Names of all properties at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part)


def test_names_on_the_wire_are_camel_case() -> None:
    names = set(properties(list(schemas().values())))

    assert {"asOf", "lastClose", "q90Pct", "appliedAt", "from", "openTime"} <= names
    assert not [name for name in names if not re.fullmatch(r"[a-z][A-Za-z0-9]*", name)]


def test_what_is_always_there_is_required_even_where_it_may_be_null() -> None:
    prediction = schemas()["prediction"]

    assert set(prediction["required"]) == set(prediction["properties"])
    assert {"type": "null"} in prediction["properties"]["range"]["anyOf"]


def test_schemas_are_plain_json() -> None:
    assert orjson.loads(orjson.dumps(schemas())) == schemas()
