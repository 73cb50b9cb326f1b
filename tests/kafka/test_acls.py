"""The list of rights: as the documentation has it, and as the command prints it."""

import re
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from stream_lstm.cli import app
from stream_lstm.errors import SettingsError
from stream_lstm.kafka.acls import PROGRAMS, Acl, Installation, worker
from stream_lstm.kafka.topics import TopicNames
from stream_lstm.settings import load

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", OPERATIONS, re.DOTALL)


def acls(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["topics", "acls", *arguments])


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_documentation_has_the_list(program: str) -> None:
    at = Installation(TopicNames(), ["candles"], [], "stream-lstm", exactly_once=True)
    assert f"| `{program}` | {'; '.join(map(str, PROGRAMS[program](at)))} |" in OPERATIONS


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_documentation_is_possible(example: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(example)
    assert load(file, [], {}).kafka.security.tls


def test_the_examples_are_all_there() -> None:
    assert len(EXAMPLES) == 4


def test_the_command_prints_commands_of_kafkas_tool_with_the_names_of_the_settings() -> None:
    given = ["topics.prefix=eu.", "kafka.group=g", "delivery=exactly_once", "kafka.bootstrap_servers=b:1"]
    done = acls("--principal", "User:CN=w, O=x", *(part for one in given for part in ("--set", one)))
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "kafka-acls.sh --bootstrap-server b:1 --add --allow-principal 'User:CN=w, O=x' "
        "--operation Read --topic candles"
    )
    assert lines[-1].endswith("--operation Write --transactional-id g/ --resource-pattern-type prefixed")
    assert sum("--topic eu." in line for line in lines) == 6
    assert len(lines) == len(worker(Installation(TopicNames(), ["c"], [], "g", exactly_once=True)))


def test_the_principal_is_the_user_of_the_settings() -> None:
    scram = ["protocol=SASL_SSL", "mechanism=SCRAM-SHA-512", "username=bot", "password=hunter2"]
    done = acls(*(part for one in scram for part in ("--set", f"kafka.security.{one}")))
    assert "--allow-principal User:bot " in done.stdout
    assert "hunter2" not in done.stdout
    nobody = acls()
    assert isinstance(nobody.exception, SettingsError)
    assert "--principal User:NAME" in str(nobody.exception)


def test_json_has_every_right_of_several_programs_once() -> None:
    told = orjson.loads(acls("--json", "--for", "commands", "--for", "watch").stdout)
    assert {(one["operation"], one["name"]) for one in told} == {
        ("Write", "control"),
        *(("Read", name) for name in ("model-events", "predictions", "scores", "candles.dlq")),
    }
    assert len(told) == 5
    unknown = acls("--for", "nobody")
    assert isinstance(unknown.exception, SettingsError)
    assert "there are worker, gateway" in str(unknown.exception)


@pytest.mark.parametrize(
    ("pattern", "name", "prefixed"),
    [
        ("candles-.*", "candles-", True),
        (r"binance\.spot\..*", "binance.spot.", True),
        ("candles", "candles", False),
        ("candless?", "candles", True),
        ("a.*|b.*", "*", False),
        (".*", "*", False),
        ("x*", "*", False),
        (r"\d+", "*", False),
        ("candles(-a|-b)", "candles", True),
    ],
)
def test_a_pattern_becomes_the_beginning_of_names(pattern: str, name: str, prefixed: bool) -> None:
    at = Installation(TopicNames(), [], [pattern], "g")
    assert worker(at)[0] == Acl("Read", "topic", name, prefixed)
