"""The gateway over a real Kafka: a scripted worker, none, and no broker; and as a process."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from stream_lstm.client import KafkaConnection, ModelAdmin
from stream_lstm.kafka import topic_admin, topics
from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.kafka.connection import Deadline
from tests.client.scripted import Installation, Worker, by_command, refusal
from tests.gateway.serving import Client, Told, gateway

pytestmark = pytest.mark.kafka

TOKEN = "planted-token-4711"


@pytest.fixture
async def installation(kafka: str, prefix: str) -> AsyncIterator[Installation]:
    installation = Installation(KafkaConnection(kafka), prefix)
    await installation.create()
    yield installation
    await installation.stop()


@pytest.fixture
async def client(installation: Installation) -> AsyncIterator[Client]:
    admin = ModelAdmin(installation.connection, prefix=installation.names.prefix, timeout=20)
    async with admin, gateway(admin, requests_per_second=10_000) as client:
        yield client


async def test_requests_become_commands_and_replies_answers(
    installation: Installation, client: Client
) -> None:
    async with Worker(installation, by_command({"model-stats": refusal("MODEL_NOT_FOUND")})) as worker:
        asked = {"symbol": "BTCUSDT", "horizon": "1d"}
        assert (await client.post("/api/ml/predict/lstm", asked)).data["horizon"] == "1d"
        told = await client.post("/api/ml/predict", asked)
        assert told.data["modelInfo"]["modelType"] == "hybrid"
        batch = {"symbols": ["A", "B", "C"], "horizon": "4h"}
        assert (await client.post("/api/ml/predict/batch", batch)).data["count"] == 3
        assert (await client.post("/api/ml/regime", asked)).data["currentRegime"] == "SIDEWAYS"
        assert (await client.get("/api/ml/models")).data["count"] == 2
        assert (await client.get("/api/ml/models/X/stats")).code == "MODEL_NOT_FOUND"
        assert (await client.delete("/api/ml/models/X")).data["deletedCount"] == 1
        assert (await client.post("/api/ml/models/cleanup", {"maxAgeDays": 7})).data["maxAgeDays"] == 7
        health = (await client.get("/api/ml/health")).body
        assert (health["status"], health["data"]["components"]["worker"]) == ("healthy", True)
        assert health["data"]["workerAnsweredAt"] > 0
    assert [each.command for each in worker.asked] == [
        *("predict", "predict", "predict", "predict", "predict"),
        *("regime", "list-models", "model-stats", "delete-model", "cleanup-models"),
    ]


async def test_hundreds_of_requests_at_once_are_each_answered_by_their_own_reply(
    installation: Installation, client: Client
) -> None:
    async with Worker(installation):
        paths = [f"/api/ml/models/S{number}/stats" for number in range(200)]
        told = await asyncio.gather(*map(client.get, paths))
    assert [each.data["symbol"] for each in told] == [f"S{number}" for number in range(200)]


async def test_without_a_worker_it_is_503_and_says_why(installation: Installation) -> None:
    admin = ModelAdmin(installation.connection, prefix=installation.names.prefix, timeout=1)
    async with admin, gateway(admin) as client, asyncio.timeout(20):
        told = await client.get("/api/ml/models")
        assert (told.status, told.code) == (503, "NO_WORKER")
        assert "`stream-lstm run`" in told.message
        batch = {"symbols": ["A", "B"], "horizon": "4h"}
        assert (await client.post("/api/ml/predict/batch", batch)).code == "NO_WORKER"
        health = await client.get("/api/ml/health")
        assert (health.status, health.body["data"]["components"]["worker"]) == (200, False)


async def test_without_a_broker_it_is_503_and_says_why() -> None:
    admin = ModelAdmin("127.0.0.1:1", timeout=1)
    async with admin, gateway(admin) as client, asyncio.timeout(20):
        told = await client.get("/api/ml/models")
        assert (told.status, told.code) == (503, "BROKER_UNAVAILABLE")
        assert (await client.get("/api/ml/health")).status == 503


# As a process


class Process:
    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self._log = folder / "gateway.log"
        os.environ.update(environment)
        try:
            self.process = BoundProcess([sys.executable, "-m", "stream_lstm", *arguments], self._log)
        finally:
            for name in environment:
                os.environ.pop(name)

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def client(self) -> Client:
        async with asyncio.timeout(60):
            while not (found := re.search(r"gateway on http://127\.0\.0\.1:(\d+)", self.log)):
                assert self.process.exit_code is None, self.log
                await asyncio.sleep(0.05)
        return Client(int(found[1]))


def settings_of(installation: Installation) -> list[str]:
    given = {
        "kafka.bootstrap_servers": installation.connection.bootstrap_servers,
        "topics.prefix": installation.names.prefix,
        "http.port": "0",
        "http.timeout": "20s",
    }
    return [part for name, value in given.items() for part in ("--set", f"{name}={value}")]


async def test_the_command_serves_and_stops_in_time_and_tells_no_secret(
    installation: Installation, tmp_path: Path
) -> None:
    gateway = Process(
        tmp_path,
        "gateway",
        *settings_of(installation),
        STREAM_LSTM_HTTP__TOKEN=TOKEN,
        STREAM_LSTM_LOG__LEVEL="debug",
    )
    client = await gateway.client()
    told: list[Told] = []
    async with Worker(installation):
        told += [
            await client.get("/api/ml/models"),
            await client.get("/openapi.json"),
            await client.get("/api/ml/health"),
            await client.delete("/api/ml/models/X"),
            await client.delete("/api/ml/models/X", authorization=f"Bearer {TOKEN[:-1]}"),
            await client.delete("/api/ml/models/X", authorization=f"Bearer {TOKEN}"),
            await client.post("/api/ml/predict", b"{" + TOKEN.encode()),
        ]
    assert [each.status for each in told] == [200, 200, 200, 401, 401, 200, 400]
    await asyncio.to_thread(gateway.process.stop, 5)
    assert gateway.process.exit_code == 0
    os.environ["STREAM_LSTM_HTTP__TOKEN"] = TOKEN
    try:
        shown = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stream_lstm", "config", "show", "--json"), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await shown.communicate()
    finally:
        os.environ.pop("STREAM_LSTM_HTTP__TOKEN")
    assert b'"http.token"' in out
    assert TOKEN.encode() not in out
    assert TOKEN[:-1] not in gateway.log + "".join(str(each) for each in told)


async def test_a_port_that_is_taken_is_named_with_its_setting(
    installation: Installation, tmp_path: Path
) -> None:
    first = Process(tmp_path, "gateway", *settings_of(installation))
    port = (await first.client()).port
    (tmp_path / "second").mkdir()
    second = Process(tmp_path / "second", "gateway", *settings_of(installation), "--set", f"http.port={port}")
    async with asyncio.timeout(30):
        while second.process.exit_code is None:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    assert second.process.exit_code == 2
    assert "http.host, http.port: cannot listen" in second.log
    await asyncio.to_thread(first.process.stop, 5)


@pytest.mark.slow
async def test_run_with_gateway_starts_both_and_stops_both(
    installation: Installation, tmp_path: Path
) -> None:
    names = installation.names
    candles = topics.TopicSpec(name=f"{names.prefix}candles", partitions=1, retention_ms=topics.FOR_EVER)
    await topic_admin.create(installation.connection, [candles], Deadline(30))
    given = {
        "inputs": f'[{{"topic": "{candles.name}"}}]',
        "kafka.group": names.prefix,
        "metrics.port": "0",
        "store.url": (tmp_path / "store").as_uri(),
    }
    options = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    both = Process(tmp_path, "run", "--gateway", *settings_of(installation), *options)
    client = await both.client()
    async with Worker(installation), asyncio.timeout(60):
        while "worker" not in both.log or "assigned" not in both.log:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
        assert (await client.get("/api/ml/models")).status == 200
    children = psutil.Process(both.process.pid).children(recursive=True)
    assert len(children) >= 1
    await asyncio.to_thread(both.process.stop, 20)
    assert both.process.exit_code == 0
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
async def test_a_gateway_beside_a_worker_is_started_again(installation: Installation, tmp_path: Path) -> None:
    beside = tmp_path / "beside.py"
    beside.write_text(
        "import sys, time\n"
        "from stream_lstm.gateway.beside import Beside\n"
        "with Beside(sys.argv[1:]):\n"
        "    time.sleep(60)\n"
    )
    log = tmp_path / "log"
    process = BoundProcess([sys.executable, str(beside), *settings_of(installation)], log)

    async def pids(count: int) -> list[str]:
        async with asyncio.timeout(60):
            while len(found := re.findall(r"gateway on http://\S+", log.read_text())) < count:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.05)
        return found

    await pids(1)
    (gateway,) = (child for child in psutil.Process(process.pid).children() if child.is_running())
    gateway.kill()
    await pids(2)
    assert "the gateway has ended with exit code -9" in log.read_text()
    process.kill()
