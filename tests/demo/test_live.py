"""The command that begins with nothing, as a process of its own, against a stand-in exchange."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import Application
from tests.demo.test_show import folder as folder
from tests.exchange.standin import Standin

FIVE = "BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,ADA/USDT"


async def started(exchange: Standin, folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "stream_lstm", "live", "--json", "--exchange", "binance"]
    return await asyncio.create_subprocess_exec(
        *(*command, "--exchange-url", exchange.url, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(folder)},
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_one_command_loads_trains_and_forecasts_live(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Standin() as exchange:
        began = time.monotonic()
        process = await started(
            exchange,
            folder,
            *("--symbols", FIVE, "--interval", "1m", "--candles", "3000", "--for", "65"),
            *("--set", 'horizons=["5m","1h"]'),
        )
        out, err = await process.communicate()
        seconds = time.monotonic() - began
    assert process.returncode == 0, err.decode()
    told = json.loads(out)
    with capsys.disabled():
        print(f"\nlive: {seconds:.0f} s in all: {told}")
    assert told["series"] == 5
    assert told["preloaded"] == 5 * 3_000
    assert told["trained_seconds"] is not None
    assert told["candles"] >= 5, "each series has closed a candle since"
    assert told["predictions"] >= 2 * 5
    assert told["models"]["hybrid"] == 0, "every series has a model"
    # One whose first model, of a few hundred candles, was worse than naive is on trial for a while.
    assert told["models"]["lstm"] + told["models"].get("naive", 0) >= 2 * 5
    assert told["models"]["lstm"] >= 5
    assert told["dead_letters"] == 0
    assert os.listdir(folder) == [], "it leaves nothing behind"


@pytest.mark.slow
async def test_on_an_existing_kafka_it_makes_the_topics_and_goes_on_the_next_time(
    folder: Path, kafka: str, prefix: str, tmp_path: Path
) -> None:
    application = Application(kafka, prefix, tmp_path)
    settings = application.settings
    named = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    async with Standin() as exchange:
        for _ in range(2):
            process = await started(
                exchange,
                folder,
                *("--symbols", "BTC/USDT", "--interval", "1m", "--candles", "150", "--for", "1"),
                *("--set", 'horizons=["5m"]', *named),
            )
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            told = json.loads(out)
            assert told["preloaded"] == 150
            assert "Starting Kafka" not in err.decode()
    values = [record.value for record in await application.read("candles")]
    closed = [body["openTime"] for body in map(json.loads, values) if body["closed"]]
    assert len(closed) == len(set(closed)), "the second call wrote again what the first had written"
    assert max(closed) - min(closed) == 60_000 * (len(closed) - 1)


@pytest.mark.slow
async def test_with_a_folder_the_next_call_goes_on(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    async with Standin() as exchange:
        for _ in range(2):
            process = await started(
                exchange,
                folder,
                *("--symbols", "BTC/USDT", "--interval", "1m", "--candles", "150", "--for", "1"),
                *("--set", 'horizons=["5m"]', "--folder", str(kept)),
            )
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            assert json.loads(out)["preloaded"] == 150
    assert b"History: 0 of" not in err, "the second call found nothing"


@pytest.mark.slow
async def test_told_to_stop_while_it_loads_it_leaves_nothing(folder: Path) -> None:
    async with Standin() as exchange:
        exchange.answers_after = 1.0
        process = await started(exchange, folder, "--symbols", FIVE, "--candles", "20000")
        assert process.stderr is not None
        async for line in process.stderr:
            if b"History" in line:
                break
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, err.decode()
    assert out == b""
    assert os.listdir(folder) == []


async def test_a_wrong_symbol_ends_it_before_anything_is_started(folder: Path) -> None:
    async with Standin() as exchange:
        process = await started(exchange, folder, "--symbols", "BTC/USTD")
        _, err = await process.communicate()
    assert process.returncode == 2
    assert b"binance has no market 'BTC/USTD': did you mean BTC/USDT" in err
    assert b"Traceback" not in err
    assert b"Kafka" not in err
