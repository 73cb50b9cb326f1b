"""The commands of the compose file, run on this machine: with their environment, at a Kafka that is here."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.kafka.embedded import EmbeddedKafka
from tests.deploy.live_scene import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
Services = Mapping[str, Mapping[str, Any]]
PATIENCE_SECONDS = 60


class Machine:
    """Stands in for the containers: one folder, ports of its own."""

    def __init__(self, services: Services, broker: str, folder: Path) -> None:
        self.services = services
        self.folder = folder
        self.metrics_port, self.http_port = free_port(), free_port()
        self._here = {
            "STREAM_LSTM_KAFKA__BOOTSTRAP_SERVERS": broker,
            "STREAM_LSTM_STORE__URL": (folder / "store").as_uri(),
            "STREAM_LSTM_METRICS__PORT": str(self.metrics_port),
            "STREAM_LSTM_HTTP__PORT": str(self.http_port),
        }

    def environment(self, name: str) -> dict[str, str]:
        """What the file gives to a service, at this machine."""
        given: dict[str, str] = self.services[name]["environment"]
        resolved = {key: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for key, value in given.items()}
        return (
            {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
            | resolved
            | self._here
        )

    def do(self, name: str) -> None:
        """A service that ends."""
        done = subprocess.run(
            self._words(name),
            env=self.environment(name),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, name: str) -> BoundProcess:
        """A service that runs."""
        given = [f"{key}={value}" for key, value in self.environment(name).items()]
        return BoundProcess(["/usr/bin/env", "-i", *given, *self._words(name)], self.folder / f"{name}.log")

    def _words(self, name: str) -> list[str]:
        return [sys.executable, "-m", "stream_lstm", *self.services[name]["command"]]


@pytest.fixture(scope="module")
def machine(
    services: Services, private_kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """The topics are made; worker, feeder and gateway run."""
    machine = Machine(services, private_kafka.bootstrap_servers, tmp_path_factory.mktemp("compose"))
    machine.do("topics")
    running = [machine.start(name) for name in ("worker", "feeder", "gateway")]
    yield machine
    for process in running:
        process.stop(25)


def page(url: str) -> str:
    """A page, or nothing while there is none."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            text: str = answer.read().decode()
            return text
    except (OSError, urllib.error.HTTPError):
        return ""


def waited_for(holds: Callable[[], bool]) -> bool:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds() and time.monotonic() < ends:
        time.sleep(0.5)
    return holds()


def test_the_worker_becomes_ready_and_takes_the_candles_of_the_feeder(machine: Machine) -> None:
    address = f"http://127.0.0.1:{machine.metrics_port}"
    assert waited_for(lambda: '"ok":true' in page(f"{address}/readyz"))
    closed = re.compile(r'stream_lstm_candles_total\{.*outcome="closed"\} [1-9]')
    assert waited_for(lambda: closed.search(page(f"{address}/metrics")) is not None)


def test_the_health_check_of_the_gateway_succeeds_once_it_listens(machine: Machine) -> None:
    _, _, *words = machine.services["gateway"]["healthcheck"]["test"]
    check = [sys.executable, *(word.replace(":3019/", f":{machine.http_port}/") for word in words)]

    def healthy() -> bool:
        return subprocess.run(check, stderr=subprocess.DEVNULL, timeout=30, check=False).returncode == 0

    assert waited_for(healthy)


def test_the_topics_can_be_made_again(machine: Machine) -> None:
    machine.do("topics")
