"""Brokers and stores that freeze, die or refuse: a worker waits, says for what, and loses nothing."""

import asyncio
import itertools
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.kafka.embedded import EmbeddedKafka
from tests.acceptance.conftest import Application, installed
from tests.acceptance.test_restart import SESSION

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HOUR = 3_600_000
SERIES, CANDLES, WARM_UP, HORIZONS = 4, 160, 100, 4
SETTINGS = {"model": "hybrid", "store__checkpoint_interval": "1s", **SESSION}
EXPECTED = (CANDLES - WARM_UP + 1) * SERIES * HORIZONS


def a_market() -> list[moments.Moment]:
    start = 1_600_000_000_000 // HOUR * HOUR
    market = moments.of_market(moments.symbols(SERIES), interval="1h", start_ms=start, seed=8)
    return list(itertools.islice(market, CANDLES))


@pytest.fixture
async def own(private_kafka: EmbeddedKafka, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    """An installation whose broker may be hurt."""
    async with installed(private_kafka.bootstrap_servers, prefix, tmp_path) as application:
        yield application


async def assert_each_prediction_is_there(application: Any) -> None:
    async def all_said() -> bool:
        ids = {orjson.loads(record.value)["id"] for record in await application.read("predictions")}
        return len(ids) == EXPECTED

    await application.until(all_said, 120)


async def some_said(application: Any) -> bool:
    return bool(await application.count("predictions") > EXPECTED // 4)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
async def test_a_broker_that_freezes_for_longer_than_a_session(
    own: Application, private_kafka: EmbeddedKafka, delivery: str
) -> None:
    market = a_market()
    await own.feed(market[:WARM_UP])
    worker = own.start_worker(**SETTINGS, delivery=delivery)
    feeding = asyncio.create_task(own.feed(market[WARM_UP:], speed=10))
    await own.until(lambda: some_said(own))
    assert private_kafka.pid is not None
    os.kill(private_kafka.pid, signal.SIGSTOP)
    try:
        await own.logged("waits for Kafka")  # to acknowledge what it says, or if it says nothing, to answer
        await asyncio.sleep(5)
    finally:
        os.kill(private_kafka.pid, signal.SIGCONT)
    await feeding
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None


@pytest.mark.timeout(240)
async def test_a_broker_that_is_killed_and_comes_back_after_a_while(
    own: Application, private_kafka: EmbeddedKafka
) -> None:
    market = a_market()
    await own.feed(market[: CANDLES // 2 + WARM_UP // 2])
    worker = own.start_worker(**SETTINGS)
    await own.until(lambda: some_said(own))
    await asyncio.to_thread(private_kafka.kill)
    try:
        await own.logged("no broker answers: waits for Kafka")
        await asyncio.sleep(5)
        assert worker.exit_code is None
    finally:
        await asyncio.to_thread(private_kafka.start)
    await own.logged("a broker answers again")
    await own.feed(market[CANDLES // 2 + WARM_UP // 2 :])
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None


@pytest.mark.timeout(240)
async def test_a_store_that_takes_no_checkpoint_costs_no_prediction_and_is_tried_again(
    application: Any,
) -> None:
    market = a_market()
    await application.feed(market[:130])
    blocked = application.folder / "store" / "checkpoints"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder should be: as good as a full disk")
    application.start_worker(**SETTINGS)

    async def refused() -> bool:
        return "no checkpoint at" in application.log_of(0)

    await application.until(refused)
    assert "check store.url" in application.log_of(0)
    blocked.unlink()
    await application.feed(market[130:])
    await assert_each_prediction_is_there(application)

    async def saved() -> bool:
        return any(blocked.rglob("tail-*"))

    await application.until(saved)
    assert stat.S_ISDIR(blocked.stat().st_mode)


@pytest.mark.timeout(240)
async def test_a_store_that_is_away_when_a_worker_starts_is_waited_for(application: Any) -> None:
    market = a_market()
    await application.feed(market)
    first = application.start_worker(**SETTINGS)
    await assert_each_prediction_is_there(application)
    await asyncio.to_thread(first.stop, 20)
    store = application.folder / "store"
    checkpoints = (store / "checkpoints").rename(store / "away")
    (store / "checkpoints").write_text("a file where the folder was")
    second = application.start_worker(**SETTINGS)

    async def waits() -> bool:
        return "cannot be restored yet, again in" in application.log_of(1)

    await application.until(waits)
    (store / "checkpoints").unlink()
    checkpoints.rename(store / "checkpoints")

    async def restored() -> bool:
        return application.log_of(1).count("partition.restored") == 3

    await application.until(restored)
    assert second.exit_code is None
    assert await application.count("predictions") == EXPECTED


@pytest.mark.timeout(240)
async def test_a_worker_that_is_started_before_its_broker(
    own: Application, private_kafka: EmbeddedKafka
) -> None:
    await own.feed(a_market())
    await asyncio.to_thread(private_kafka.kill)
    try:
        worker = own.start_worker(**SETTINGS)
        await own.logged("waits for Kafka, next attempt in", times=3)
    finally:
        await asyncio.to_thread(private_kafka.start)
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None
