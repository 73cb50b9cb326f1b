"""What README and docs show is what there is."""

import doctest
import gzip
import re
import shlex
from pathlib import Path

import pytest
import typer

from stream_lstm.candles.synthetic import market
from stream_lstm.cli import app
from tests.pages import ROOT, Shown, inline_commands, shown_commands, shown_lines

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("shown", [*shown_commands(), *inline_commands()], ids=str)
def test_a_command_that_is_shown_is_there_with_its_options(shown: Shown) -> None:
    words = shlex.split(shown.line.partition(" > ")[0], comments=True)
    words = words[words.index("stream-lstm") + 1 :]
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("stream-lstm", words)  # raises on what it does not know


def test_what_the_readme_shows_in_python_is_what_python_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ms, bars = market(["BTCUSDT"], step_ms=3_600_000, start_ms=1_600_000_200_000, candles=500, seed=2)[
        "BTCUSDT"
    ]
    with gzip.open(tmp_path / "BTCUSDT-1h.csv.gz", "wt") as file:
        for at, row in zip(open_ms.tolist(), bars.tolist(), strict=True):
            file.write(f"{at},{','.join(map(repr, row))}\n")
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted > 4
    assert result.failed == 0


def test_the_make_targets_that_are_shown_exist() -> None:
    wanted = {target for _, line in shown_lines() for target in re.findall(r"\bmake ([a-z-]+)", line)}
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert wanted
    assert wanted <= set(targets)


def test_the_files_that_the_readme_points_to_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
