"""Commands at real workers: answered by the owner, by the leader, and while everybody restarts."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.client import ModelAdmin
from stream_lstm.contracts.command import Command
from stream_lstm.errors import CommandFailed
from stream_lstm.registry.models import ModelStore
from stream_lstm.settings.sections import Http
from tests.acceptance.conftest import Application, installed
from tests.gateway.serving import gateway

CleanUp = Callable[[Application, ModelAdmin], Awaitable[set[str]]]

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HOUR = 3_600_000
SYMBOLS = moments.symbols(4)
FAST = {"kafka__session_timeout": "3s", "kafka__heartbeat_interval": "300ms", "model": "har"}


def market(count: int) -> list[moments.Moment]:
    drawn = moments.of_market(SYMBOLS, interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=9)
    return list(itertools.islice(drawn, count))


@pytest.fixture
async def admin(application: Application) -> AsyncIterator[ModelAdmin]:
    async with ModelAdmin(
        application.connection.bootstrap_servers, prefix=application.names.prefix, timeout=20
    ) as admin:
        yield admin


async def trained(application: Application, series: int = len(SYMBOLS)) -> None:
    async def all_have_a_model() -> bool:
        return len({event["symbol"] for event in await events(application, "model.trained")}) >= series

    await application.until(all_have_a_model)


@pytest.mark.timeout(180)
async def test_every_command_of_a_running_worker(application: Application, admin: ModelAdmin) -> None:
    await application.feed(market(140))
    application.start_worker(**FAST)
    await trained(application)
    symbol = SYMBOLS[0]

    told = await admin.describe(symbol)
    assert (told.candles, told.needed, told.paused) == (140, 100, False)
    assert told.model is not None
    assert told.training.state == "idle"
    prediction = await admin.predict(symbol, "4h", confidence=0.8)
    assert prediction.horizon == "4h"
    assert prediction.predictions[-1].confidence == 0.8
    assert prediction.model_info.model_id == told.model.model_id
    assert (await admin.predict(symbol, model_type="hybrid")).model_info.model_type == "hybrid"
    regime = await admin.regime(symbol)
    assert regime.current_regime == prediction.features.market_regime
    listed = await admin.list_models()
    assert {row.symbol for row in listed.models} == set(SYMBOLS)
    assert listed.count == len(SYMBOLS)
    stats = await admin.model_stats(symbol)
    assert stats.model_id == told.model.model_id
    assert stats.mae is not None
    assert (await admin.pause(symbol)).paused
    assert (await admin.describe(symbol)).paused
    assert not (await admin.resume(symbol)).paused
    before = len(await events(application, "model.trained"))
    assert (await admin.retrain(symbol)).queued

    async def is_retrained() -> bool:
        return len(await events(application, "model.trained")) > before

    await application.until(is_retrained)
    gone = await admin.delete_model(symbol)
    assert {one.symbol for one in gone.deleted} == {symbol}
    assert (await admin.describe(symbol)).model is None
    assert symbol not in {row.symbol for row in (await admin.list_models()).models}


@pytest.mark.timeout(180)
async def test_what_cannot_be_done_says_why(application: Application, admin: ModelAdmin) -> None:
    await application.feed(market(20))
    application.start_worker(**FAST)
    symbol = SYMBOLS[0]

    async def refused(asked: Any) -> str:
        with pytest.raises(CommandFailed) as told:
            await asked
        return str(told.value.code)

    async def is_there() -> bool:
        return bool(await events(application, "series.warming_up"))

    await application.until(is_there)
    assert await refused(admin.predict(symbol)) == "LSTM_PREDICTION_FAILED"
    assert await refused(admin.retrain(symbol)) == "RETRAIN_FAILED"
    assert await refused(admin.predict("NOSUCH")) == "LSTM_PREDICTION_FAILED"
    assert await refused(admin.model_stats("NOSUCH")) == "MODEL_NOT_FOUND"
    assert await refused(admin.describe("NOSUCH", exchange="x", interval="1h")) == "SERIES_NOT_FOUND"
    assert (await admin.delete_model("NOSUCH")).deleted_count == 0
    now = int(time.time() * 1000)
    old = Command(command="describe", command_id="old", issued_at=now - 70_000, symbol=symbol)
    reply = await admin.command(old)
    assert reply.type == "command.rejected"
    assert reply.error is not None
    assert reply.error.code == "COMMAND_EXPIRED"


async def by_kafka(application: Application, admin: ModelAdmin) -> set[str]:
    """Clean up; the symbols whose models are gone."""
    return {one.symbol for one in (await admin.cleanup_models(max_age_days=30)).deleted}


async def by_rest(application: Application, admin: ModelAdmin) -> set[str]:
    """The same over HTTP, within the gateway's own time-out."""
    before = {row.symbol for row in (await admin.list_models()).models}
    asked = ModelAdmin(application.connection, prefix=application.names.prefix, timeout=Http().timeout)
    async with asked, gateway(asked) as client:
        told = (await client.post("/api/ml/models/cleanup", {"maxAgeDays": 30})).data
        listed = (await client.get("/api/ml/models")).data["models"]
    assert told["deletedCount"] == len(before) - len(listed)
    return before - {row["symbol"] for row in listed}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("clean_up", [by_kafka, by_rest])
async def test_old_models_of_three_workers_are_gone_and_stay_gone_and_young_ones_stay(
    application: Application, admin: ModelAdmin, tmp_path: Path, clean_up: CleanUp
) -> None:
    now = int(time.time() * 1000)
    names = [f"COIN{number:03}USDT" for number in range(300)]
    old, young = names[::2], names[1::2]
    for symbols, days in ((old, 60), (young, 0)):
        start = (now - days * 86_400_000) // HOUR * HOUR - 120 * HOUR
        drawn = moments.of_market(symbols, interval="1h", start_ms=start, seed=9)
        await application.feed(itertools.islice(drawn, 110))
    often = {"store__checkpoint_interval": "3s", "store__keep_checkpoints": "50"}
    workers = [application.start_worker(**FAST, **often) for _ in range(3)]
    await trained(application, len(names))
    models = {row.symbol: row.model_id for row in (await admin.list_models()).models}

    assert await clean_up(application, admin) == set(old)
    await kept(application, admin, models, old, young)
    for worker in workers:
        await asyncio.to_thread(worker.kill)
    newest_checkpoints_are_lost(tmp_path / "store" / "checkpoints")
    for _ in range(3):
        application.start_worker(**FAST)
    await kept(application, admin, models, old, young)
    assert sum(event["type"] == "model.trained" for event in await all_events(application)) == len(names)
    assert len(await events(application, "model.deleted")) == len(old)


async def kept(
    application: Application, admin: ModelAdmin, models: dict[str, str], old: list[str], young: list[str]
) -> None:
    """Old models are in no memory and not in the store; young ones answer."""
    there = {model.series.split(":")[1] for model in ModelStore(application.settings["store.url"]).models()}
    assert there == set(young)
    for symbol in [*old[::15], *young[::15]]:
        model = (await admin.describe(symbol, timeout=60)).model
        assert (model and model.model_id) == (models[symbol] if symbol in young else None)


def newest_checkpoints_are_lost(folder: Path) -> None:
    """All but the oldest of every partition, which may be from before the clean-up."""
    for partition in {path.parent for path in folder.rglob("tail-*")}:
        for tail in sorted(partition.glob("tail-*"))[1:]:
            tail.unlink()


async def all_events(application: Application) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in await application.read("model-events")]


async def events(application: Application, kind: str) -> list[dict[str, Any]]:
    return [event for event in await all_events(application) if event["type"] == kind]


@pytest.mark.timeout(240)
async def test_after_a_clean_up_the_next_candle_makes_new_models(
    application: Application, admin: ModelAdmin, tmp_path: Path
) -> None:
    rows = market(151)
    await application.feed(rows[:150])
    application.start_worker(**FAST)
    await trained(application)
    await admin.cleanup_models(max_age_days=30)
    store = ModelStore(application.settings["store.url"])
    assert not store.models()
    await application.feed(rows[150:])

    async def new_ones() -> bool:
        return len(store.models()) == len(SYMBOLS)

    await application.until(new_ones)


@pytest.mark.timeout(120)
async def test_a_command_that_is_sent_while_no_worker_runs_is_answered_by_the_next(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    async with installed(kafka, prefix, tmp_path) as application:
        await application.feed(market(110))
        first = application.start_worker(**FAST)
        await trained(application)
        await asyncio.to_thread(first.stop, 20)
        async with ModelAdmin(kafka, prefix=prefix, timeout=60) as admin:
            asking = asyncio.create_task(admin.describe(SYMBOLS[1]))
            await asyncio.sleep(2)
            application.start_worker(**FAST)
            assert (await asking).symbol == SYMBOLS[1]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("install", ["barrier", "asap"])
async def test_what_was_said_under_commands_is_what_the_engine_alone_says(
    application: Application, admin: ModelAdmin, install: str
) -> None:
    rows, settings = market(200), FAST | {"training__install": install, "training__expiry": "3650d"}
    await application.feed(rows[:120])
    worker = application.start_worker(**settings)
    await trained(application)
    asked = [
        admin.pause(SYMBOLS[0]),
        admin.retrain(SYMBOLS[1]),
        # To compare `asap` the models must still be there.
        admin.delete_model(SYMBOLS[2]) if install == "barrier" else admin.describe(SYMBOLS[2]),
        admin.resume(SYMBOLS[0]),
        admin.retrain(SYMBOLS[0]),
        admin.pause(SYMBOLS[3]),
    ]
    for at, command in enumerate(asked):
        await command
        await application.feed(rows[120 + 10 * at : 130 + 10 * at])
        if at == 3:
            await asyncio.to_thread(worker.kill)
            worker = application.start_worker(**settings)
    await application.feed(rows[180:])
    last = f":{rows[-1][0].close_ms}:"

    async def all_said() -> bool:
        ids = [orjson.loads(record.value)["id"] for record in await application.read("predictions")]
        return sum(last in id for id in ids) == 3 * 4  # one series is paused

    await application.until(all_said)
    await asyncio.to_thread(worker.stop, 20)
    given = application.settings | {name.replace("__", "."): value for name, value in settings.items()}
    options = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    compared = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream_lstm", "compare", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await compared.communicate()
    assert compared.returncode == 0, told.decode()
    assert b"0 lost, 0 doubled" in told
