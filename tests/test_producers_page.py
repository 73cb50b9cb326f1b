"""docs/producers.md has a row for every format, and the pins that it shows are settings."""

import re
import tomllib
from pathlib import Path

import pytest

from stream_lstm.candles import reasons
from stream_lstm.candles.decode import FORMATS
from stream_lstm.settings.inputs import Input

PAGE = (Path(__file__).parents[1] / "docs" / "producers.md").read_text()
ROWS = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]


def row(format: str) -> list[str]:
    (found,) = [cells for cells in ROWS if cells[0].strip() == f"`{format}`"]
    return [cell.strip() for cell in found]


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_a_row_with_units_flag_traps_and_how_it_is_told(format: str) -> None:
    name, producer, time, prices, flag, told, traps = row(format)
    assert all((name, producer, prices, traps))
    assert re.search(r"second|ms|any unit|RFC 3339", time)
    assert re.search(r"right|none|true|yours", flag)
    assert "`" in told


@pytest.mark.parametrize("envelope", ["Kafka Connect", "Debezium", "CloudEvents", "Confluent"])
def test_every_envelope_has_a_row(envelope: str) -> None:
    assert re.search(rf"^\| {envelope}", PAGE, re.MULTILINE)


def test_the_pins_are_settings() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    inputs = [Input(**each) for each in tomllib.loads(block)["inputs"]]
    assert len(inputs) == 5


def test_the_reasons_that_it_names_are_reasons() -> None:
    assert {"undecodable_decimal", "not_json", "unknown_shape"} <= set(reasons.known())
