import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from stream_lstm.observability.metrics import Metrics
from stream_lstm.observability.server import HealthServer
from stream_lstm.settings import load


@pytest.fixture
def dockerfile(root: Path) -> list[str]:
    """The instructions, one a line."""
    text = re.sub(r"^#.*\n", "", (root / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [line for line in text.replace("\\\n", " ").splitlines() if line]


@pytest.fixture
def environment(dockerfile: list[str]) -> dict[str, str]:
    (line,) = of(dockerfile, "ENV")
    return dict(pair.split("=", 1) for pair in shlex.split(line))


@pytest.fixture(params=[True, False])
def health(request: pytest.FixtureRequest) -> Iterator[tuple[bool, int]]:
    """Whether a worker is well, and the port at which it says so."""
    well: bool = request.param
    server = HealthServer(
        "127.0.0.1", 0, Metrics.create().registry, livez=lambda: (well, {}), readyz=lambda: (False, {})
    )
    server.start()
    yield well, server.port
    server.stop()


def of(dockerfile: list[str], instruction: str) -> list[str]:
    """What follows an instruction, wherever it is used."""
    return [line.removeprefix(f"{instruction} ") for line in dockerfile if line.startswith(f"{instruction} ")]


def test_the_image_starts_the_script_of_the_package(root: Path, dockerfile: list[str]) -> None:
    (entrypoint,) = of(dockerfile, "ENTRYPOINT")
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert json.loads(entrypoint) == list(project["scripts"])


def test_the_image_runs_as_a_user_without_a_name_to_look_up(dockerfile: list[str]) -> None:
    (user,) = of(dockerfile, "USER")
    assert int(user) > 0
    assert f"--uid {user}" in " ".join(dockerfile)


def test_the_last_stage_takes_what_is_installed_and_nothing_that_builds(dockerfile: list[str]) -> None:
    last = dockerfile[max(at for at, line in enumerate(dockerfile) if line.startswith("FROM")) :]
    assert last[0] == "FROM python:3.13-slim"
    assert of(last, "COPY") == ["--from=build /opt/stream-lstm /opt/stream-lstm"]
    assert not any("pip" in line or "apt" in line for line in of(last, "RUN"))


def test_the_environment_of_the_image_is_settings(dockerfile: list[str], environment: dict[str, str]) -> None:
    settings = load(None, [], environment)
    assert settings.metrics.host == "0.0.0.0"
    assert of(dockerfile, "EXPOSE") == [str(settings.metrics.port)]
    assert of(dockerfile, "VOLUME") == [settings.store.url.removeprefix("file://")]


def test_the_health_check_fails_when_the_worker_is_not_alive(
    dockerfile: list[str], health: tuple[bool, int]
) -> None:
    (line,) = of(dockerfile, "HEALTHCHECK")
    command = json.loads(line.partition("CMD")[2])
    assert command[0] == "python"
    well, port = health
    done = subprocess.run(
        [sys.executable, *command[1:]],
        env={"STREAM_LSTM_METRICS__PORT": str(port)},
        stderr=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    assert (done.returncode == 0) is well


def test_everything_that_is_copied_from_the_source_may_come_in(root: Path, dockerfile: list[str]) -> None:
    ignored, *allowed = re.findall(r"^!?([^#\n].*)$", (root / ".dockerignore").read_text(), re.MULTILINE)
    assert ignored == "*"
    for line in of(dockerfile, "COPY"):
        *sources, _ = line.split()
        if sources[0].startswith("--from"):
            continue
        for source in sources:
            assert (root / source).exists()
            assert any(fnmatch(Path(source).name, pattern) for pattern in allowed)
