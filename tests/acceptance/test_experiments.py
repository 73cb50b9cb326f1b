"""Experiments at real workers: started by a command, through kills, and compared with the engine alone."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.client import ModelAdmin
from stream_lstm.errors import CommandFailed
from tests.acceptance.conftest import Application

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HOUR = 3_600_000
SYMBOLS = moments.symbols(4)
FAST = {
    "kafka__session_timeout": "3s",
    "kafka__heartbeat_interval": "300ms",
    "model": "naive",
    "store__checkpoint_interval": "1s",
}


def market(count: int) -> list[moments.Moment]:
    drawn = moments.of_market(SYMBOLS, interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=12)
    return list(itertools.islice(drawn, count))


@pytest.fixture
async def admin(application: Application) -> AsyncIterator[ModelAdmin]:
    async with ModelAdmin(
        application.connection.bootstrap_servers, prefix=application.names.prefix, timeout=60
    ) as admin:
        yield admin


async def trained(application: Application, count: int, role: str | None = None) -> None:
    async def so_many() -> bool:
        told = await application.events("model.trained")
        return len({event["symbol"] for event in told if event["data"].get("role") == role}) >= count

    await application.until(so_many)


async def read_up_to(application: Application, rows: list[moments.Moment]) -> None:
    """Wait until the newest candle of every series is answered."""
    last = f":{rows[-1][0].close_ms}:1h"

    async def all_said() -> bool:
        ids = [orjson.loads(record.value)["id"] for record in await application.read("predictions")]
        return sum(id.endswith(last) for id in ids) >= len(SYMBOLS)

    await application.until(all_said)


async def compared(application: Application, settings: dict[str, str]) -> None:
    given = application.settings | {name.replace("__", "."): value for name, value in settings.items()}
    options = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream_lstm", "compare", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert b"0 lost, 0 doubled" in told


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("install", "delivery"),
    [("barrier", "at_least_once"), ("barrier", "exactly_once"), ("asap", "at_least_once")],
)
async def test_through_kills_an_experiment_comes_to_what_the_engine_alone_comes_to(
    application: Application, admin: ModelAdmin, install: str, delivery: str
) -> None:
    rows, settings = market(260), FAST | {"training__install": install, "delivery": delivery}
    await application.feed(rows[:120])
    worker = application.start_worker(**settings)
    await trained(application, len(SYMBOLS))
    told = await admin.start_experiment("har", SYMBOLS[0], alpha=0.5)
    assert (told.challenger, [one.symbol for one in told.series]) == ("har", [SYMBOLS[0]])
    others = await admin.start_experiment("har", share=1.0, alpha=0.5, max_candles=90)
    assert {one.symbol for one in others.series} == set(SYMBOLS[1:]), "on all that have none"
    await trained(application, len(SYMBOLS), "challenger")
    for at in range(120, 240, 30):
        await application.feed(rows[at : at + 30])
        await asyncio.sleep(2)
        await asyncio.to_thread(worker.kill)
        worker = application.start_worker(**settings)
        if at == 120:
            await admin.stop_experiment(symbol=SYMBOLS[1])
    await application.feed(rows[240:])
    await read_up_to(application, rows)
    listed = await admin.list_experiments()
    assert {row.symbol for row in listed.experiments} == set(SYMBOLS)
    ended = {event["data"]["outcome"] for event in await application.events("experiment.result")}
    assert ended
    if install == "barrier":  # else it rests on when the models came
        assert "promoted" in ended, "so lax an alpha promotes one of this market"
    assert ended & {"rejected", "undecided"}
    await asyncio.to_thread(worker.stop, 20)
    await compared(application, settings)


@pytest.mark.timeout(300)
async def test_commands_of_experiments_with_two_workers(application: Application, admin: ModelAdmin) -> None:
    rows = market(140)
    await application.feed(rows[:120])
    for _ in range(2):
        application.start_worker(**FAST)
    await trained(application, len(SYMBOLS))
    started = await admin.start_experiment("har", share=1.0, alpha=0.001, max_candles=500)
    assert {one.symbol for one in started.series} == set(SYMBOLS)
    for symbol, challenger, why in (
        (SYMBOLS[0], "hybrid", "runs on"),
        (SYMBOLS[0], "naive", "already"),
        (SYMBOLS[0], "oracle", "no model type"),
    ):
        with pytest.raises(CommandFailed, match=why):
            await admin.start_experiment(challenger, symbol)
    with pytest.raises(CommandFailed, match="no experiment"):
        await admin.stop_experiment("00000000")
    await trained(application, len(SYMBOLS), "challenger")
    await application.feed(rows[120:])
    await read_up_to(application, rows)

    async def listed() -> list[Any]:
        return list((await admin.list_experiments()).experiments)

    running = await listed()
    assert [row.outcome for row in running] == ["running"] * len(SYMBOLS)
    assert {row.experiment_id for row in running} == {started.experiment_id}
    assert all(row.candles > 0 and row.max_candles == 500 for row in running)
    described = await admin.describe(SYMBOLS[2])
    assert described.experiment is not None
    assert described.experiment.challenger == "har"
    stopped = await admin.stop_experiment(started.experiment_id)
    assert {one.symbol for one in stopped.series} == set(SYMBOLS)
    assert {row.outcome for row in await listed()} == {"stopped"}
    again = await admin.start_experiment("har", SYMBOLS[3])
    assert again.experiment_id != started.experiment_id
    told = {(row.symbol, row.outcome) for row in await listed()}
    assert (SYMBOLS[3], "running") in told
    assert (SYMBOLS[3], "stopped") in told
