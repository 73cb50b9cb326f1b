"""`bootstrap` and `feed` as processes, by the wall clock, against the stand-in exchange and a real Kafka."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Application, installed
from tests.exchange.standin import Standin


@pytest.fixture
async def application(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with installed(kafka, prefix, tmp_path) as application:
        yield application


async def command(application: Application, *words: str) -> asyncio.subprocess.Process:
    named = [part for name, value in application.settings.items() for part in ("--set", f"{name}={value}")]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream_lstm", *words, *named),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_feed_says_what_it_does_and_stops_cleanly(
    application: Application, number: signal.Signals
) -> None:
    async with Standin() as exchange:
        words = ("--exchange", "binance", "--symbols", "BTC/USDT", "--interval", "1m")
        process = await command(
            application, "feed", "--json", *words, "--exchange-url", exchange.url,
            "--set", "exchange.forming_every=0.5s",
        )  # fmt: skip
        assert process.stderr is not None
        lines = []
        async with asyncio.timeout(60):
            async for line in process.stderr:
                lines.append(line.decode())
                if "waits for the next candle" in lines[-1]:
                    break
        await asyncio.sleep(2)
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 20)
    said = "".join(lines)
    assert process.returncode == 0, said + err.decode()
    told = json.loads(out)
    assert told["closed"] >= 1
    assert told["forming"] >= 1
    assert "begins with what closed last (`stream-lstm bootstrap` loads what came before)" in said
    assert "feeds 1 series of binance" in said


@pytest.mark.slow
async def test_a_wrong_symbol_is_one_line_with_what_comes_near(application: Application) -> None:
    async with Standin() as exchange:
        words = ("--exchange", "binance", "--exchange-url", exchange.url, "--symbols", "BTC/USD")
        process = await command(application, "feed", *words)
        _, err = await process.communicate()
    assert process.returncode == 2
    assert "binance has no market 'BTC/USD': did you mean BTC/USDT" in err.decode()
    assert "Traceback" not in err.decode()


async def test_bootstrap_is_from_files_or_from_an_exchange(application: Application) -> None:
    process = await command(application, "bootstrap")
    _, err = await process.communicate()
    assert process.returncode == 2
    assert "either files or an exchange" in err.decode()
