import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def read_yaml(root: Path) -> Callable[[str], Any]:
    """A file of the repository as YAML; a key that is there twice is an error."""
    return lambda name: YAML(typ="safe").load(root / name)


@pytest.fixture(scope="session")
def services(read_yaml: Callable[[str], Any]) -> dict[str, Any]:
    """The services of the compose file, merge keys resolved."""
    services: dict[str, Any] = read_yaml("docker-compose.yml")["services"]
    return services


@pytest.fixture(scope="session")
def ours(services: dict[str, Any]) -> dict[str, Any]:
    """The services that run our image."""
    return {name: service for name, service in services.items() if "build" in service}


@pytest.fixture(scope="session")
def promtool(root: Path) -> Callable[..., str]:
    """Runs promtool, gives what it says; without one the test is skipped, or in CI fails."""
    path = shutil.which("promtool")
    if path is None:
        why = "no promtool: it comes with Prometheus (`apt-get install prometheus`)"
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"{why}, which is a failure in CI")
        pytest.skip(why)

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [path, *arguments], cwd=root, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
