"""`stream-lstm dlq` as it is called."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from stream_lstm.cli import app
from stream_lstm.cli_dlq import _is_input, _moment, _offsets
from stream_lstm.errors import SettingsError
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.topics import TopicNames
from stream_lstm.settings import load
from tests.dead_letters.letter_scene import LetterScene

Call = Callable[..., Awaitable[Result]]


def dlq(*arguments: str, catch: bool = True) -> Result:
    return CliRunner().invoke(app, ["dlq", *arguments], catch_exceptions=catch)


@pytest.mark.kafka
def test_show_dry_run_and_replay_from_end_to_end(kafka: str, prefix: str) -> None:
    import asyncio

    scene = LetterScene(KafkaConnection(kafka), prefix)
    asyncio.run(filled(scene))
    given = {"kafka.bootstrap_servers": kafka, "topics.prefix": prefix}
    given["inputs"] = f'[{{"topic": "{scene.candles}"}}]'
    settings = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]

    def told(*arguments: str) -> dict[str, Any]:
        result = dlq(*arguments, "--json", *settings)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = orjson.loads(result.stdout_bytes)
        return found

    assert told("show")["letters"] == 3
    assert [one["letters"] for one in told("show", "--reason", "absurd")["reasons"]] == [1]
    planned = told("replay", "--dry-run", "--reason", "not_json")
    assert (planned["records"], planned["dryRun"]) == (2, True)
    assert told("show")["replayed"] == 0
    done = told("replay", "--yes", "--reason", "not_json")
    assert (done["records"], done["dryRun"]) == (2, False)
    assert told("show")["replayed"] == 2
    assert told("replay", "--yes", "--topic", "another")["records"] == 0
    text = dlq("replay", "--yes", *settings).stdout
    assert text.startswith(f"1 record replayed into {scene.candles}\nLeft out: 2 records replayed already")
    assert dlq("show", "--since", "1m", *settings).stdout == f"No such dead letter in {scene.dlq}.\n"


async def filled(scene: LetterScene) -> None:
    await scene.create()
    await scene.refused([b"1", b"2"])
    await scene.refused([b"3"], "absurd")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_replay_that_nobody_can_be_asked_about_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match="--yes, or --dry-run"):
        dlq("replay", *arguments, catch=False)


@pytest.mark.parametrize(
    ("option", "value", "way_out"),
    [
        ("--reason", "notjson", "did you mean not_json"),
        ("--reason", "x", "There are not_json"),
        ("--offset", "9-3", "17-42"),
        ("--offset", "x", "17-42"),
        ("--since", "yesterday", "2d or 90m, or a date"),
        ("--until", "-3h", "2d or 90m, or a date"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_way_out(option: str, value: str, way_out: str) -> None:
    with pytest.raises(SettingsError, match=f"{option} {value}: .*{way_out}"):
        dlq("replay", "--yes", option, value, catch=False)


def test_times_are_dates_or_how_long_ago() -> None:
    assert _moment("--since", "2024-10-05T11:00") == 1_728_126_000_000
    assert _moment("--since", "2d") - _moment("--since", "3d") == pytest.approx(86_400_000, abs=1_000)


def test_offsets_are_one_or_the_first_and_the_last() -> None:
    assert (_offsets("17"), _offsets("17-42")) == ((17, 17), (17, 42))


def test_our_own_topics_are_no_inputs_whatever_a_pattern_matches() -> None:
    settings = load(None, ['inputs=[{"topic": "a"}, {"pattern": "b.*"}]'], {})
    names = TopicNames("b.")
    for topic, expected in {"a": True, "b1": True, "c": False, "b.control": False, "b.scores": False}.items():
        assert _is_input(settings, names, topic) is expected, topic
