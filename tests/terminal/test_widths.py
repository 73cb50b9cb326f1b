"""At 80 and 160 columns, and in a file: numbers are whole, lines fit, and no file gets an escape code."""

import fcntl
import gzip
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from stream_lstm.candles.synthetic import market
from stream_lstm.contracts.reply import Deleted, Description, ModelList, ModelStats
from stream_lstm.terminal import answers, tables
from stream_lstm.terminal.console import console, show
from stream_lstm.terminal.history import loaded_table
from stream_lstm.terminal.rows import Rows
from stream_lstm.terminal.verdicts import verdicts
from tests.client.scripted import DELETED, DESCRIPTION, STATS, model
from tests.terminal.conftest import prediction

SYMBOLS = ("BTCUSDT", "ETHUSDT", "1000PEPEUSDT")


def verdict(model: str, horizon: str) -> dict[str, Any]:
    return {
        **{"model": model, "interval": "1h", "horizon": horizon, "series": 7, "forecasts": 122_304},
        **{
            "winklerRatio": 0.95712,
            "worstWinklerRatio": 0.98124,
            "worstSymbol": "LINKUSDT",
            "beyondHar": -0.00123,
        },
        **{
            "pinballRatio": 0.98765,
            "coverage": 0.9004,
            "coverageRange": [0.8987, 0.9021],
            "worstHour": 0.8567,
        },
        **{"worst500": 0.8123, "rmseRatio": 1.00001, "better": 6},
    }


COST = {
    "model": "constant",
    "fits": 364,
    "failed_fits": 2,
    "fit_seconds": 201.3,
    "seconds": 377.2,
    "candles": 308_111,
}
LOADED = {
    "series": "binance 1000PEPEUSDT 1h",
    "held": 12_345,
    "loaded": 23_456,
    "absent": 34,
    "newestOpenTime": 0,
}
CASES: dict[str, tuple[RenderableType, list[str]]] = {
    "models": (
        answers.models(ModelList.model_validate({"models": [model(name) for name in SYMBOLS], "count": 3})),
        ["binance 1000PEPEUSDT 1h", "98.6%", "3 models"],
    ),
    "stats": (answers.stats(ModelStats.model_validate(STATS)), ["mean absolute error"]),
    "deleted": (answers.deleted(Deleted.model_validate(DELETED)), ["m-BTCUSDT"]),
    "description": (
        answers.description(Description.model_validate(DESCRIPTION)),
        ["8,760, of which 100 were needed", "queued, 3 before it"],
    ),
    "verdicts": (
        verdicts([verdict("constant", "1h"), verdict("lstm", "7d")], 0.9, [COST]),
        [
            *("0.9571", "0.9812", "LINKUSDT", "-0.0012", "0.9877", "1.0000", "6/7", "90.0%", "89.9%–90.2%"),
            *("85.7%", "81.2%", "366 trainings of 0.55 s, 2 failed; 377 s for 308,111 candles"),
        ],
    ),
    "predictions": (
        tables.predictions([prediction("1000PEPEUSDT", horizon) for horizon in ("1h", "7d")]),
        ["64,845.5–66,155.5", "32/36/32%", "±0.62%"],
    ),
    "loaded": (loaded_table("candles", [LOADED]), ["12,345", "23,456", "34", "1970-01-01 00:00"]),
}


def drawn(renderable: RenderableType, width: int) -> list[str]:
    file = io.StringIO()
    show(renderable, Console(width=width, file=file))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("case", CASES)
def test_every_number_is_whole_and_no_line_too_long(case: str, width: int) -> None:
    renderable, words = CASES[case]
    lines = drawn(renderable, width)
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert "…" not in text.replace("5, 10, … 95%", "")
    for word in words:
        assert word in text


def test_at_80_columns_models_and_verdicts_are_still_tables() -> None:
    renderable, _ = CASES["models"]
    assert sum("USDT" in line for line in drawn(renderable, 80)) == 3
    assert len([line for line in drawn(CASES["verdicts"][0], 80) if line.startswith("constant  1h")]) == 2
    assert len([line for line in drawn(CASES["verdicts"][0], 160) if line.startswith("constant  1h")]) == 1


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.from_regex(r"\d{1,12}", fullmatch=True), min_size=5, max_size=5), min_size=1, max_size=4
    ),
    st.integers(26, 200),
)
def test_rows_lose_nothing_whatever_the_width(cells: list[list[str]], width: int) -> None:
    titles = ("Series", "Candles", "Took", "Size", "Accuracy")
    lines = drawn(Rows(titles, cells, titles[:1]), width)
    assert max(map(len, lines)) <= width
    found = re.findall(r"\d+", " ".join(lines))
    assert sorted(found) == sorted(cell for row in cells for cell in row)


def test_without_a_terminal_there_is_room_and_no_code(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for name in ("models", "verdicts"):
        show(CASES[name][0])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert not re.search(r" +$", out, re.MULTILINE)
    (line,) = [line for line in out.splitlines() if line.startswith("constant  1h")]
    assert line.split()[-2:] == ["85.7%", "81.2%"]
    monkeypatch.setenv("COLUMNS", "70")
    assert console().width == 70


def on_a_terminal(command: list[str], columns: int, **environment: str) -> str:
    """What a command writes to a terminal of so many columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        command,
        stdout=follower,
        stderr=subprocess.DEVNULL,
        env=given | {"TERM": "xterm-256color"} | environment,
    )
    os.close(follower)
    said = b""
    while True:
        try:
            more = os.read(leader, 65_536)
        except OSError:  # on Linux that is the end of a terminal that nobody has open any more
            break
        if not more:
            break
        said += more
    os.close(leader)
    assert process.wait(60) == 0
    return said.decode()


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 160])
def test_the_backtest_reads_well_on_a_real_terminal(tmp_path: Path, columns: int) -> None:
    open_ms, bars = market(["BTCUSDT"], step_ms=3_600_000, start_ms=1_600_000_200_000, candles=500, seed=2)[
        "BTCUSDT"
    ]
    path = tmp_path / "BTCUSDT-1h.csv.gz"
    with gzip.open(path, "wt") as file:
        for at, row in zip(open_ms.tolist(), bars.tolist(), strict=True):
            file.write(f"{at},{','.join(map(repr, row))}\n")
    command = [
        sys.executable,
        "-m",
        "stream_lstm",
        "backtest",
        str(path),
        "--model",
        "naive",
        "--horizons",
        "1h",
    ]
    colourful = on_a_terminal(command, columns)
    plain = on_a_terminal(command, columns, NO_COLOR="1")
    assert "\x1b[1m" in colourful
    assert "\x1b" not in plain
    assert max(len(line) for line in plain.splitlines()) <= columns
    assert re.search(r"^naive +1h +\d\.\d{4} +\d\.\d{4} +BTCUSDT ", plain, re.MULTILINE)
