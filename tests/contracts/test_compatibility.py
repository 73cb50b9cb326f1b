"""Old messages are read by new readers, new messages by old ones; what would break that is refused here."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from stream_lstm.candles.decode import decode
from stream_lstm.cli import app
from stream_lstm.contracts import command, event, reply
from stream_lstm.contracts.candle import Candle
from stream_lstm.contracts.compatibility import RECEIVED, breaches
from stream_lstm.contracts.event import Event
from stream_lstm.contracts.examples import EXAMPLES
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.reply import Reply
from stream_lstm.contracts.schemas import VERSION, schemas
from stream_lstm.contracts.score import Score
from stream_lstm.contracts.wire import Message
from stream_lstm.streaming import facts

FROZEN = Path("tests/contracts/frozen") / f"v{VERSION}"
ROOT = Path(__file__).parent.parent.parent


def frozen(kind: str) -> dict[str, Any]:
    """By name: `messages` or `schemas` as they were when they were frozen."""
    return {
        path.stem: orjson.loads(path.read_bytes()) for path in sorted((ROOT / FROZEN / kind).glob("*.json"))
    }


MESSAGES, SCHEMAS = frozen("messages"), frozen("schemas")
READABLE = sorted(set(MESSAGES) - {"deadLetter"})  # its payload is whatever came
DATA_NAMED_FREELY = {"quantiles", "onChainMetrics", "config", "nextRegimeProb"}


def read(name: str, payload: Any) -> tuple[Message, Message | None]:
    """A message by today's contracts: itself, its `data` apart."""
    value = orjson.dumps(payload)
    group, _, kind = name.partition(".")
    if group == "command":
        return command.parse(value), None
    if group == "event":
        told = Event.from_json(value)
        return told.model_copy(update={"data": {}}), told.payload
    if group == "reply":
        answer = Reply.from_json(value)
        data = {"predict": Prediction, **reply.DATA}.get(kind)
        return answer.model_copy(update={"data": {}}), data and data.model_validate(answer.data)
    kinds: dict[str, type[Message]] = {"candle": Candle, "prediction": Prediction, "score": Score}
    return kinds[name].from_json(value), None


def said(message: Message) -> Any:
    return message.model_dump(mode="json", by_alias=True, exclude_unset=True)


@pytest.mark.parametrize("name", READABLE)
def test_an_old_message_is_read_whole(name: str) -> None:
    message, data = read(name, MESSAGES[name])
    told = said(message) | ({"data": said(data)} if data is not None else {})

    assert {field: told[field] for field in MESSAGES[name]} == MESSAGES[name]


def test_every_message_has_a_frozen_example() -> None:
    missing = set(EXAMPLES) - set(MESSAGES)

    assert not missing, (
        f"a new message needs a frozen example: stream-lstm asyncapi --examples {FROZEN}/messages, "
        "and commit only the files that are new"
    )
    assert {name.removeprefix("command.") for name in MESSAGES if name.startswith("command.")} == set(
        command.COMMANDS
    )
    assert {name.removeprefix("event.") for name in MESSAGES if name.startswith("event.")} == set(event.DATA)


def places(part: Any) -> Iterator[tuple[str | int, ...]]:
    """Where in a message a newer version could add a field."""
    if isinstance(part, dict):
        yield ()
        for name, each in part.items():
            if name not in DATA_NAMED_FREELY:
                yield from ((name, *place) for place in places(each))
    elif isinstance(part, list):
        for at, each in enumerate(part):
            yield from ((at, *place) for place in places(each))


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=8)
    | st.sampled_from([0.5, [], [1, {}], {}])
)
NEW_FIELDS = st.dictionaries(st.sampled_from(["newField", "x", "asOfBar", "名前", ""]), VALUES, min_size=1)


@st.composite
def newer(draw: st.DrawFn, name: str) -> Any:
    """A message of a version that has more fields, anywhere."""
    made = orjson.loads(orjson.dumps(MESSAGES[name]))
    for place in draw(st.lists(st.sampled_from(sorted(places(made), key=str)), min_size=1, max_size=4)):
        part = made
        for step in place:
            part = part[step]
        part |= draw(NEW_FIELDS)
    return made


@given(st.data())
def test_a_new_message_with_fields_that_an_old_reader_does_not_know_says_the_same_to_it(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(READABLE))

    assert read(name, data.draw(newer(name))) == read(name, MESSAGES[name])


@pytest.mark.parametrize("name", READABLE)
def test_a_reader_that_has_only_the_frozen_schemas_reads_what_is_said_today(name: str) -> None:
    group, payload = name.partition(".")[0], EXAMPLES[name].payload
    told = {group: payload} | ({name: payload["data"]} if name in SCHEMAS and name != group else {})

    for schema, part in told.items():
        assert not list(Draft202012Validator(SCHEMAS[schema]).iter_errors(part))


@given(newer("candle"))
def test_a_worker_reads_the_candle_of_a_newer_producer(candle: Any) -> None:
    now = candle["closeTime"] + 1

    assert decode(orjson.dumps(candle), record_ms=now) == decode(
        orjson.dumps(MESSAGES["candle"]), record_ms=now
    )


@given(newer("event.model.trained"))
def test_a_worker_reads_the_facts_of_a_newer_one(told: Any) -> None:
    fact, known = facts.parse(orjson.dumps(told)), facts.parse(orjson.dumps(MESSAGES["event.model.trained"]))
    assert fact is not None
    assert known is not None

    assert (fact.id, fact.kind, fact.series) == (known.id, known.kind, known.series)
    assert known.body.items() <= fact.body.items()


def test_the_contracts_break_no_reader_of_this_version() -> None:
    found = breaches(SCHEMAS, schemas())

    assert not found, (
        f"readers of version {VERSION} would break: {'; '.join(found)}. Keep the old field and add a new one "
        "that can be left out; or raise VERSION in contracts/schemas.py, say in the changelog what readers "
        "must do, and freeze that version: "
        f"stream-lstm asyncapi --schemas {FROZEN.parent}/v{VERSION + 1}/schemas "
        f"--examples {FROZEN.parent}/v{VERSION + 1}/messages"
    )


def test_what_has_been_added_is_frozen_too() -> None:
    added = breaches(schemas(), SCHEMAS)

    assert not added, (
        "the contracts have more than what is frozen, so that nothing guards it: "
        f"stream-lstm asyncapi --schemas {FROZEN}/schemas"
    )


def changed(name: str, path: str, value: Any) -> dict[str, Any]:
    """The schemas with one part of one of them changed, or with None gone."""
    made = orjson.loads(orjson.dumps(schemas()))
    part = made[name]
    *way, last = path.split("/")
    for step in way:
        part = part[step]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return made


NUMBER = {"type": "number"}
OPTIONAL = {"anyOf": [NUMBER, {"type": "null"}], "default": None}


@pytest.mark.parametrize(
    ("name", "path", "value", "breach"),
    [
        ("prediction", "properties/targetPct", None, "prediction.targetPct is gone"),
        ("prediction", "properties/lastClose/type", "string", "lastClose was number, is string"),
        ("prediction", "properties/lastClose", OPTIONAL, "lastClose was number, is null or number"),
        ("prediction", "$defs/ModelInfo/properties/skill", None, "prediction.modelInfo.skill is gone"),
        (
            "prediction",
            "$defs/PathPoint/properties/timestamp/type",
            "string",
            r"predictions\[\].timestamp was",
        ),
        ("prediction", "properties/quantiles/additionalProperties/type", "string", r"quantiles\.\* was"),
        ("prediction", "required", ["id"], "asOf was always there, can be left out"),
        ("score", "properties/revision/const", 1, "score.revision may not be 0 any more"),
        (
            "event",
            "required",
            ["id", "type", "at", "workerId"],
            "event.workerId could be left out, is required",
        ),
        ("event", "required", ["id", "type", "at", "cause"], "event.cause is new and required"),
        ("reply", "$defs/Problem/properties/code/enum", ["RETRAIN_FAILED"], "may not be 'UNKNOWN_COMMAND'"),
        ("reply", "properties/type/enum", ["command.reply", "command.rejected", "x"], "old readers refuse"),
        ("reply.describe", "properties/candles/minimum", None, "candles had minimum 0, has None"),
        ("command", "properties/command/enum", ["predict"], "command.command may not be 'retrain' any more"),
        ("command", "properties/commandId/maxLength", 100, "commandId had maxLength 200, has 100"),
        ("candle", "properties/interval/pattern", "^1h$", "candle.interval had pattern"),
    ],
)
def test_a_breach_is_found(name: str, path: str, value: Any, breach: str) -> None:
    found = breaches(schemas(), changed(name, path, value))

    assert [problem for problem in found if re.search(breach, problem)]


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("prediction", "properties/confidence", OPTIONAL),
        ("event.model.trained", "properties/loss", OPTIONAL),
        ("prediction", "properties/asOf/description", "told better"),
        ("command", "properties/command/enum", [*command.COMMANDS, "dance"]),
        ("command", "properties/commandId/maxLength", 300),
        ("command", "required", ["command", "commandId"]),
        ("candle", "properties/volume", OPTIONAL),
    ],
)
def test_what_breaks_no_reader_is_allowed(name: str, path: str, value: Any) -> None:
    assert not breaches(schemas(), changed(name, path, value))


def test_a_message_that_is_gone_is_a_breach() -> None:
    left = {name: schema for name, schema in schemas().items() if name != "event.topic.resized"}

    assert breaches(schemas(), left) == ["event.topic.resized is gone"]


def test_what_a_worker_receives_is_among_the_schemas() -> None:
    assert set(schemas()) >= RECEIVED


def test_the_command_says_what_breaks_for_an_old_reader(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["asyncapi", "--schemas", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(app, ["asyncapi", "--against", str(tmp_path)]).exit_code == 0
    (tmp_path / "event.drift.json").write_text("{}")
    result = CliRunner().invoke(app, ["asyncapi", "--against", str(tmp_path)])

    assert result.exit_code == 1
    assert result.stdout == "event.drift is gone\n"


def test_the_command_refuses_a_folder_without_schemas(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["asyncapi", "--against", str(tmp_path)])

    assert result.exit_code == 2
    assert "no JSON Schema" in result.stderr
