"""The admin commands as processes, against a scripted worker on a real Kafka."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import pytest

from stream_lstm.client import KafkaConnection
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.topic_admin import retention_ms
from tests.client.scripted import DESCRIPTION, Installation, Worker, by_command, refusal

pytestmark = pytest.mark.kafka


@pytest.fixture
async def installation(kafka: str, prefix: str) -> AsyncIterator[Installation]:
    installation = Installation(KafkaConnection(kafka), prefix)
    await installation.create()
    yield installation
    await installation.stop()


async def stream_lstm(installation: Installation, *words: str) -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error of a command with the settings of the installation."""
    servers, prefix = installation.connection.bootstrap_servers, installation.names.prefix
    settings = ("--set", f"kafka.bootstrap_servers={servers}", "--set", f"topics.prefix={prefix}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream_lstm", *words, *settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()


async def test_each_command_asks_and_shows(installation: Installation) -> None:
    async with Worker(installation) as worker:
        shown = await asyncio.gather(
            stream_lstm(installation, "models", "list"),
            stream_lstm(installation, "models", "stats", "BTCUSDT", "--exchange", "okx", "--interval", "1h"),
            stream_lstm(installation, "models", "delete", "BTCUSDT"),
            stream_lstm(installation, "models", "cleanup", "--max-age-days", "7", "--model-type", "lstm"),
            stream_lstm(installation, "models", "retrain", "BTCUSDT"),
            stream_lstm(installation, "describe", "BTCUSDT"),
            stream_lstm(installation, "pause", "BTCUSDT"),
            stream_lstm(installation, "resume", "BTCUSDT", "--take-over"),
        )
    assert [(code, error) for code, _, error in shown] == [(0, "")] * 8
    words = ["2 models", "mean absolute error", "1 model deleted", "m-BTCUSDT", "queued, 0 before it"]
    words += ["8,760 of 100 needed", "paused", "speaks"]
    for (_, out, _), word in zip(shown, words, strict=True):
        assert word in out, out
    asked = {each.command: each for each in worker.asked}
    assert (asked["model-stats"].exchange, asked["model-stats"].interval) == ("okx", "1h")
    assert (asked["cleanup-models"].max_age_days, asked["cleanup-models"].model_type) == (7, "lstm")
    assert asked["resume"].take_over


async def test_json_is_the_message_of_the_contract_and_nothing_else(installation: Installation) -> None:
    async with Worker(installation):
        code, out, error = await stream_lstm(installation, "describe", "BTCUSDT", "--json")
    assert (code, error) == (0, "")
    assert json.loads(out) == DESCRIPTION


async def test_a_no_is_exit_code_1_with_its_text(installation: Installation) -> None:
    async with Worker(installation, by_command({"retrain": refusal("SERIES_NOT_FOUND", "no series X")})):
        code, out, error = await stream_lstm(installation, "models", "retrain", "X")
    assert (code, out, error) == (1, "", "stream-lstm: SERIES_NOT_FOUND: no series X\n")


async def test_no_worker_is_exit_code_1_with_the_way_out(installation: Installation) -> None:
    code, out, error = await stream_lstm(installation, "models", "list", "--timeout", "1")
    assert (code, out) == (1, "")
    assert "no answer to list-models within 1 s" in error
    assert "Traceback" not in error


async def test_topics_are_made_for_the_history_that_is_wanted(kafka: str, prefix: str) -> None:
    installation = Installation(KafkaConnection(kafka), prefix)
    words = ("topics", "create", "--history", "8760", "--interval", "1h", "--partitions", "1", "--json")
    inputs = ("--set", f'inputs=[{{"topic": "{prefix}candles"}}]')
    code, out, error = await stream_lstm(installation, *words, *inputs)
    assert code == 0, error
    told = json.loads(out)["retentionMs"]
    topic = f"{prefix}candles"
    assert told[topic] == told[f"{prefix}model-events"] == 402 * 86_400_000
    assert await retention_ms(installation.connection, topic, Deadline(20)) == told[topic]
    code, _, error = await stream_lstm(installation, "topics", "create", "--history", "9", "--interval", "1M")
    assert code == 2
    assert "--interval 1M" in error
