"""History is loaded once, whatever is there already and however often somebody cuts it off."""

import asyncio
import gzip
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from stream_lstm.candles.files import read_csv
from stream_lstm.feeding.bootstrap import from_exchange, from_files
from tests.feeding.conftest import STEP, Scene

SYMBOLS = ["BTC/USDT", "ETH/USDT"]


async def load(scene: Scene, candles: int, symbols: list[str] = SYMBOLS) -> list[int]:
    """How many were written of each series."""
    async with scene.venue() as venue:
        listings = venue.find(symbols, "1m")
        loaded = await from_exchange(scene.target, venue, listings, candles, warn=scene.said.append)
    return [one.loaded for one in loaded]


async def test_the_last_closed_candles_are_loaded_in_the_order_of_time(scene: Scene) -> None:
    assert await load(scene, 2_300) == [2_300, 2_300]
    for updates in (await scene.written()).values():
        assert all(later.open_ms - earlier.open_ms == STEP for earlier, later in pairwise(updates))
        assert all(update.closed for update in updates)
    records = await scene.application.read("candles")
    for earlier, later in pairwise(records):
        assert earlier.partition != later.partition or earlier.timestamp <= later.timestamp


async def test_what_is_there_is_not_written_again_and_gaps_are_filled(scene: Scene) -> None:
    scene.exchange.untraded |= {("BTC/USDT", scene.exchange.clock.now_ms() // STEP * STEP - 30 * STEP)}
    first = await load(scene, 100)
    assert first == [99, 100]
    scene.exchange.untraded.clear()
    btc, eth = await load(scene, 100)
    assert btc == eth + 1
    assert 0 <= eth <= 5, "only what has closed meanwhile"
    for updates in (await scene.written()).values():
        opens = sorted(update.open_ms for update in updates)
        assert all(later - earlier == STEP for earlier, later in pairwise(opens))
    assert any("holds newer candles" in line for line in scene.said)


@pytest.mark.slow
async def test_cut_off_in_the_middle_and_called_again_nothing_is_missing_or_twice(scene: Scene) -> None:
    for seconds in (0.15, 0.25, 0.35):
        scene.exchange.page = 100
        async with scene.venue() as venue:
            listings = venue.find(SYMBOLS, "1m")
            work = from_exchange(scene.target, venue, listings, 3_000, warn=scene.said.append)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(work, seconds)
    await load(scene, 3_000)
    for updates in (await scene.written()).values():
        opens = [update.open_ms for update in updates]
        assert len(opens) >= 3_000
        assert all(later - earlier == STEP for earlier, later in pairwise(opens))


async def test_files_are_loaded_once(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m.csv.gz"
    now_ms = scene.exchange.clock.now_ms()
    with gzip.open(path, "wt") as file:
        for number in range(now_ms // STEP - 500, now_ms // STEP + 1):
            file.write(f"{number * STEP},1.0,2.0,0.5,1.5,{number % 7}\n")
    files = [read_csv(path)]
    said = scene.said.append
    (one,) = await from_files(scene.target, files, "Binance", now_ms, candles=200, warn=said)
    assert (one.held, one.loaded, one.absent) == (0, 200, 0), "the last row is still forming"
    (one,) = await from_files(scene.target, files, "binance", now_ms, candles=200, warn=said)
    assert (one.held, one.loaded, one.absent) == (200, 0, 0)
    (one,) = await from_files(scene.target, files, "binance", now_ms, warn=said)
    assert (one.held, one.loaded, one.absent) == (200, 300, 0)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_a_killed_command_goes_on_when_it_is_called_again(scene: Scene, number: signal.Signals) -> None:
    """The command itself, by wall clock: the exchange's time is ours."""
    exchange = scene.exchange
    exchange.clock.speed = 1.0
    exchange.page, exchange.answers_after = 100, 0.2
    settings = {name: value for name, value in scene.application.settings.items() if name != "start_at"}
    command = [
        *(sys.executable, "-m", "stream_lstm", "bootstrap", "--json", "--exchange", "binance"),
        *("--symbols", "BTC/USDT,ETH/USDT", "--interval", "1m", "--candles", "2000"),
        *("--exchange-url", exchange.url),
        *(part for name, value in settings.items() for part in ("--set", f"{name}={value}")),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    async with asyncio.timeout(100):
        while exchange.asked["klines"] < 32:  # the first window is written by then, the second is not  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    os.kill(process.pid, number)
    await process.wait()
    assert process.returncode != 0
    again = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await again.communicate()
    told = orjson.loads(out)
    assert all(one["held"] > 0 and one["absent"] == 0 for one in told["series"]), told
    assert all(one["held"] + one["loaded"] == 2_000 for one in told["series"]), told
    for updates in (await scene.written()).values():
        opens = [update.open_ms for update in updates]
        assert all(later - earlier == STEP for earlier, later in pairwise(opens))
