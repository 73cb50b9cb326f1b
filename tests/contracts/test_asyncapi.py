"""The AsyncAPI document: as the specification says, with examples that are what a worker writes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft7Validator, FormatChecker
from typer.testing import CliRunner

from stream_lstm.candles.series import SeriesKey
from stream_lstm.cli import app
from stream_lstm.contracts.asyncapi import as_json, document
from stream_lstm.contracts.channels import CHANNELS
from stream_lstm.contracts.command import COMMANDS, Command
from stream_lstm.contracts.examples import EXAMPLES
from stream_lstm.contracts.schemas import schemas
from stream_lstm.dead_letters.letter import DeadLetters
from stream_lstm.errors import BadCandle, CommandRefused
from stream_lstm.forecasting.outputs import Event, Outputs, Prediction, Score
from stream_lstm.kafka import topics
from stream_lstm.kafka.records import Record
from stream_lstm.streaming.encoding import Encoder
from stream_lstm.streaming.facts import Fact
from stream_lstm.streaming.partition import Cause

HERE = Path(__file__).parent
FILE = HERE.parent.parent / "docs" / "asyncapi.json"
RENEW = "stream-lstm asyncapi > docs/asyncapi.json"
SPECIFICATION = orjson.loads((HERE / "asyncapi-3.0-as-we-use-it.json").read_bytes())
DOCUMENT = document()
MESSAGES: dict[str, dict[str, Any]] = DOCUMENT["components"]["messages"]
KEY = SeriesKey("binance", "BTCUSDT", "1h")


def validator(schema: dict[str, Any]) -> Draft7Validator:
    """Of a schema that refers to the document's components."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return Draft7Validator(whole, format_checker=FormatChecker())


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def at(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_document_is_as_the_specification_says() -> None:
    problems = [error.message for error in Draft7Validator(SPECIFICATION).iter_errors(DOCUMENT)]

    assert not problems


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("info", {"title": "stream-lstm"}),
        ("channels/predictions/adress", "predictions"),
        ("operations/sendScores/action", "publish"),
        ("operations/sendScores/channel", "#/channels/scores"),
        ("operations/predict/reply", {}),
        ("components/messages/score/correlationId", {"location": "commandId"}),
        ("components/messages/score/examples", []),
        ("components/schemas/Candle/type", "tuple"),
        ("components/schemas/a b", {}),
    ],
)
def test_a_mistake_in_the_document_is_found(path: str, value: object) -> None:
    wrong = orjson.loads(orjson.dumps(DOCUMENT))
    *way, last = path.split("/")
    part = wrong
    for step in way:
        part = part[step]
    part[last] = value

    assert not Draft7Validator(SPECIFICATION).is_valid(wrong)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))

    assert len(found) > 100
    assert all(isinstance(at(reference), dict) for reference in found)


def test_nothing_stands_beside_a_reference_where_draft_7_would_overlook_it() -> None:
    def beside(part: Any) -> Iterator[Any]:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str) and len(part) > 1:
                yield part
            part = list(part.values())
        if isinstance(part, list):
            for each in part:
                yield from beside(each)

    assert not list(beside(DOCUMENT))


def test_every_component_is_used() -> None:
    used = set(references(DOCUMENT))

    for kind, named in DOCUMENT["components"].items():
        for name in named:
            assert f"#/components/{kind}/{name}" in used, name


def test_an_operation_has_messages_of_its_channel_only() -> None:
    for operation in DOCUMENT["operations"].values():
        for part in (operation, operation.get("reply", operation)):
            for message in part["messages"]:
                assert message["$ref"].startswith(part["channel"]["$ref"] + "/messages/")


def test_the_parameters_of_an_address_are_described() -> None:
    for channel in DOCUMENT["channels"].values():
        assert re.findall(r"{(\w+)}", channel["address"]) == list(channel["parameters"])


@pytest.mark.parametrize("name", MESSAGES)
def test_an_example_is_valid_and_of_no_other_message_of_its_operations(name: str) -> None:
    (example,) = MESSAGES[name]["examples"]

    assert not list(validator(MESSAGES[name]["payload"]).iter_errors(example["payload"]))
    if "headers" in MESSAGES[name]:
        assert not list(validator(MESSAGES[name]["headers"]).iter_errors(example["headers"]))
    group = name.partition(".")[0]
    others = [other for other in MESSAGES if other.partition(".")[0] == group and other != name]
    for other in others:
        assert not validator(MESSAGES[other]["payload"]).is_valid(example["payload"]), other


def test_there_is_an_example_of_every_message_and_no_other() -> None:
    assert set(EXAMPLES) == set(MESSAGES)


@pytest.mark.parametrize("name", [name for name in MESSAGES if "correlationId" in MESSAGES[name]])
def test_a_reply_is_found_by_what_the_command_says(name: str) -> None:
    field = MESSAGES[name]["correlationId"]["location"].removeprefix("$message.payload#/")

    assert EXAMPLES[name].payload[field] == EXAMPLES["command.predict"].payload["commandId"]


def test_a_message_names_its_json_schema() -> None:
    named = {message["x-json-schema"] for message in MESSAGES.values() if "x-json-schema" in message}

    assert named <= {schema["$id"] for schema in schemas().values()}
    assert set(MESSAGES) - {name for name in MESSAGES if "x-json-schema" in MESSAGES[name]} == {"deadLetter"}


def test_channels_are_the_topics_that_are_made() -> None:
    made = {
        spec.name: (spec.partitions, spec.retention_ms // topics.DAY_MS)
        for spec in topics.specs(topics.TopicNames(), [topics.CANDLES])
    }

    assert {one.topic: (one.partitions, one.retention_days) for one in CHANNELS} == made
    produced = {one.topic for one in CHANNELS if not one.is_input} - {topics.CONTROL}
    assert produced == set(topics.PRODUCED)


def said() -> list[tuple[str, Record]]:
    """What a worker writes, by the name of its message."""
    encoder = Encoder("stream-lstm", "worker-0")
    cause = Cause(0.0, [("traceparent", b"00-abc-def-01")])
    prediction, score = EXAMPLES["prediction"].payload, EXAMPLES["score"].payload
    warming = EXAMPLES["event.series.warming_up"].payload
    trained = EXAMPLES["event.model.trained"].payload
    outputs = Outputs(
        predictions=[
            Prediction(KEY, "4h", prediction["asOf"], "lstm", 0x9AE0DAAF, cause, lambda: prediction)
        ],
        scores=[Score(KEY, "4h", cause, lambda: score)],
        events=[Event("series.warming_up", KEY, warming["at"], cause, warming["data"])],
    )
    fact = Fact(kind="model.trained", series=KEY, **trained["appliedAt"], body=trained["data"])
    refused = CommandRefused("MODEL_NOT_FOUND", "there is none")
    told = EXAMPLES["reply.describe"].payload["data"]
    (answer,) = encoder.replies("c-1", "c-1", "describe", told)
    event, score_record, prediction_record = encoder.outputs(outputs)
    return [
        ("event.series.warming_up", event),
        ("score", score_record),
        ("prediction", prediction_record),
        ("event.model.trained", encoder.fact(fact, trained["at"])),
        ("event.series.stale", encoder.own("series.stale", {"lastClose": 1, "intervals": 3}, series=KEY)),
        ("event.worker.started", encoder.own("worker.started", {"version": "1"})),
        ("reply.describe", answer),
        ("reply.failed", encoder.refusal("c-1", "c-1", "retrain", refused, rejected=False)),
        ("reply.rejected", encoder.refusal("c-1", None, None, refused, rejected=True)),
    ]


@pytest.mark.parametrize(("name", "record"), said(), ids=lambda one: one if isinstance(one, str) else "")
def test_what_a_worker_writes_is_as_the_document_says(name: str, record: Record) -> None:
    headers = {key: value.decode() for key, value in record.headers}

    assert not list(validator(MESSAGES[name]["payload"]).iter_errors(orjson.loads(record.value or b"")))
    assert not list(validator(MESSAGES[name]["headers"]).iter_errors(headers))
    assert set(headers) <= described("PredictionHeaders") | described("CloudEventHeaders")


@pytest.mark.parametrize("name", ["event.model.trained", "event.series.warming_up", "prediction", "score"])
def test_an_example_has_the_ids_and_times_that_a_worker_gives(name: str) -> None:
    written = dict(said())[name]
    headers = {key: value.decode() for key, value in written.headers}
    example = EXAMPLES[name].headers
    assert example is not None

    assert {**headers, "traceparent": ""} == {**example, "traceparent": ""}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_client_sends_is_as_the_document_says(name: str) -> None:
    sent = Command.model_validate(EXAMPLES[f"command.{name}"].payload).to_json()

    assert not list(validator(MESSAGES[f"command.{name}"]["payload"]).iter_errors(orjson.loads(sent)))


class Received:
    value = b"x" * 2_000_000
    key = b"BTCUSDT"
    offset = 42
    timestamp = 1_728_126_000_000
    headers = (("content-type", b"application/json"),)


def test_a_dead_letter_has_the_headers_of_the_document() -> None:
    letter = DeadLetters("stream-lstm", "worker-0").letter(
        ("candles", 3), Received(), BadCandle("not_json", "end")
    )
    headers = {key: value.decode() for key, value in letter.headers}

    assert not list(validator(MESSAGES["deadLetter"]["headers"]).iter_errors(headers))
    assert set(headers) == described("DeadLetterHeaders")


def described(name: str) -> set[str]:
    """Names of the headers of a schema, and of those that it goes on from."""
    schema = DOCUMENT["components"]["schemas"][name]
    parts = schema.get("allOf", [schema])
    return {header for part in parts for header in part.get("properties", ())}


def test_the_copy_in_docs_is_of_today() -> None:
    assert FILE.read_bytes() == as_json(DOCUMENT), f"docs/asyncapi.json is old; renew it: {RENEW}"


def test_the_command_prints_the_document() -> None:
    result = CliRunner().invoke(app, ["asyncapi"])

    assert result.exit_code == 0
    assert orjson.loads(result.stdout) == DOCUMENT


def test_the_command_writes_a_file_per_schema_and_per_example(tmp_path: Path) -> None:
    schema_files, example_files = tmp_path / "schemas", tmp_path / "examples"
    result = CliRunner().invoke(
        app, ["asyncapi", "--schemas", str(schema_files), "--examples", str(example_files)]
    )

    assert result.exit_code == 0
    assert {path.stem: orjson.loads(path.read_bytes()) for path in schema_files.iterdir()} == schemas()
    assert {path.stem for path in example_files.iterdir()} == set(EXAMPLES)
