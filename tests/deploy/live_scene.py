"""A worker at a real Kafka, a market that plays, and a real Prometheus that scrapes it, with our rules."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stream_lstm.kafka.bound_process import BoundProcess

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
CONFIG = """\
global: {{scrape_interval: {scrape}, evaluation_interval: {scrape}}}
rule_files: [{rules}]
scrape_configs:
  - job_name: stream-lstm
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def free_port() -> int:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        port: int = given.getsockname()[1]
        return port


class Prometheus:
    """Scrapes one worker until the end of the `with`."""

    def __init__(self, folder: Path, target_port: int, scrape: str = "1s") -> None:
        self.folder = folder
        self.port = free_port()
        self._config = CONFIG.format(
            scrape=scrape, rules=ROOT / "deploy/prometheus/rules.yml", port=target_port
        )

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "prometheus.yml"
        config.write_text(self._config)
        program = shutil.which("prometheus")
        assert program is not None
        self._process = BoundProcess(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            self.folder / "prometheus.log",
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.stop(10)

    def ask(self, path: str, **parameters: str | Iterable[str]) -> Any:
        """The data of an answer of its API; an error is what it says."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"
        try:
            with direct.open(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def instant(self, expr: str) -> list[dict[str, Any]]:
        """What a query gives now."""
        found: list[dict[str, Any]] = self.ask("query", query=expr)["result"]
        return found

    def value(self, expr: str) -> float:
        """The only figure that a query gives now; 0 for none."""
        found = self.instant(expr)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else 0.0

    def wait_for(self, expr: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Until a query gives something."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                if self.instant(expr):
                    return
            except OSError:  # it has only just been started
                pass
            time.sleep(0.5)
        raise AssertionError(f"after {seconds} s there is still no {expr}")


class Service:
    """Topics, a worker and a feeder at a broker. `settings` are those that differ from the defaults."""

    def __init__(self, folder: Path, bootstrap: str, settings: dict[str, object]) -> None:
        self.folder = folder
        self.port = free_port()
        self._settings = {
            "kafka.bootstrap_servers": bootstrap,
            "store.url": (folder / "store").as_uri(),
            "start_at": "earliest",
            "metrics.port": self.port,
            "metrics.per_series": True,
            **settings,
        }
        self._processes: dict[str, BoundProcess] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        for name in [*self._processes]:
            self.stop(name)

    def do(self, *command: str) -> str:
        """A command of ours, to its end; what it prints."""
        done = subprocess.run(
            self._words(*command), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name: str, *command: str) -> None:
        """A command of ours, until it is stopped."""
        self._processes[name] = BoundProcess(self._words(*command), self.folder / f"{name}.log")

    def stop(self, name: str) -> None:
        """As a container is stopped."""
        self._processes.pop(name).stop(20)

    def _words(self, *command: str) -> list[str]:
        given = [
            f"{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in self._settings.items()
        ]
        return [sys.executable, "-m", "stream_lstm", *command, *(w for g in given for w in ("--set", g))]
