"""The figures of docs/experiments.md are those that were measured, and it names what can be tried."""

import json
from pathlib import Path

import pytest

from stream_lstm.models.registry import MODEL_TYPES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/experiments.md").read_text()
MEASURED = json.loads((ROOT / "benchmarks/results/experiments.json").read_text())["rows"]


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row["what"])
def test_a_figure_of_the_page_is_what_was_measured(row: dict[str, float]) -> None:
    shares = " | ".join(f"{100 * row[name]:.1f}%" for name in ("promoted", "rejected", "undecided"))
    begin = f"| {row['what']} | `{row['champion']}` | `{row['challenger']}` | {100 * row['gain']:+.1f}% |"
    assert f"{begin} {shares} |" in PAGE


def test_the_page_names_every_model_type() -> None:
    assert all(f"`{name}`" in PAGE for name in MODEL_TYPES)
