"""The commands of docs/experiments.md are there, and its figures are those that were measured."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from stream_lstm.cli import app
from stream_lstm.models.registry import MODEL_TYPES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/experiments.md").read_text()
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]
MEASURED = json.loads((ROOT / "benchmarks/results/experiments.json").read_text())["rows"]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_is_there_with_its_options(line: str) -> None:
    program, *words = shlex.split(line, comments=True)
    assert program == "stream-lstm"
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("stream-lstm", words)  # raises on what it does not know


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row["what"])
def test_a_figure_of_the_page_is_what_was_measured(row: dict[str, float]) -> None:
    shares = " | ".join(f"{100 * row[name]:.1f}%" for name in ("promoted", "rejected", "undecided"))
    assert f"| {row['what']} | `{row['champion']}` | `{row['challenger']}` |" in PAGE
    assert shares in PAGE


def test_the_page_names_every_model_type() -> None:
    assert all(f"`{name}`" in PAGE for name in MODEL_TYPES)
