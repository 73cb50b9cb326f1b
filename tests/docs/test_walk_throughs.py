"""The walk-throughs of docs/development, done as they are written, in a copy of the repository."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stream_lstm.candles.synthetic import market

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/development").glob("*.md"))
COPIED = (
    *("stream_lstm", "tests", "docs", "deploy", "examples", "benchmarks", "pyproject.toml", "README.md"),
    *("Makefile", "Dockerfile", "docker-compose.yml"),
)
BLOCK = re.compile(r"(?:^(New file|In) `([^`]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HERE = {"pytest": "pytest", "mypy": "mypy", "ruff": "ruff", "stream-lstm": "stream_lstm"}
"""Commands, and the modules that they are."""


class Step(NamedTuple):
    """A file to write, a change to make, or commands to run."""

    what: str
    path: str
    text: str


def steps(page: Path) -> Iterator[Step]:
    for how, path, language, text in BLOCK.findall(page.read_text()):
        if how == "New file":
            yield Step("write", path, text)
        elif how == "In":
            assert language == "diff", f"{page.name}: a change of {path} must be a diff"
            yield Step("change", path, text)
        elif language == "bash":
            yield Step("run", "", text)


def changed(before: str, diff: str) -> str:
    """The text with a change: the lines that stay or go must be there, once."""
    lines = diff.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    assert f"\n{before}".count(f"\n{old}") == 1, f"these lines are not there once:\n{old}"
    return f"\n{before}".replace(f"\n{old}", f"\n{new}")[1:]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a newcomer has, and a file of candles."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=unwanted)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    candles = market(["BTCUSDT"], step_ms=3_600_000, start_ms=1_600_000_200_000, candles=600, seed=2)
    with gzip.open(tmp_path / "BTCUSDT-1h.csv.gz", "wt") as file:
        for at, row in zip(*(column.tolist() for column in candles["BTCUSDT"]), strict=True):
            file.write(f"{at},{','.join(map(repr, row))}\n")
    return tmp_path


def run(line: str, folder: Path) -> None:
    words = shlex.split(line)
    if words[0] == "mypy":
        words += ["--cache-dir", str(folder / ".mypy")]
    program = ["-m", HERE[words[0]]] if words[0] in HERE else []
    assert program or words[0] == "python", line
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *program, *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_walk_through_works_as_it_is_written(page: Path, copy: Path) -> None:
    for step in steps(page):
        path = copy / step.path
        if step.what == "write":
            assert not path.exists()
            path.write_text(step.text)
        elif step.what == "change":
            path.write_text(changed(path.read_text(), step.text))
        else:
            for line in step.text.splitlines():
                run(line, copy)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_changes_of_a_walk_through_still_fit(page: Path) -> None:
    """The fast half: a page that no longer fits the code is found by whoever changes the code."""
    texts: dict[str, str] = {}
    for step in steps(page):
        if step.what == "change":
            before = texts.get(step.path) or (ROOT / step.path).read_text()
            texts[step.path] = changed(before, step.text)


def test_the_pages_are_those_that_the_index_names() -> None:
    named = set(re.findall(r"\(development/([\w-]+\.md)\)", (ROOT / "docs/development.md").read_text()))
    assert named == {page.name for page in PAGES}
