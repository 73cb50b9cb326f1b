"""Exactly once, by whole workers: killed and frozen ones, and every message is there once."""

import asyncio
import os
import signal
from collections import Counter
from typing import Any

import orjson
import pytest

from tests.acceptance.test_checkpoints import SETTINGS, a_market, told_by_one_engine

pytestmark = pytest.mark.kafka

EXACTLY_ONCE = {**SETTINGS, "delivery": "exactly_once"}


async def ids(application: Any, logical: str) -> Counter[str]:
    return Counter(orjson.loads(record.value)["id"] for record in await application.read(logical))


async def trained(application: Any) -> Counter[str]:
    """The facts, by their ids."""
    events = [orjson.loads(record.value) for record in await application.read("model-events")]
    return Counter(event["id"] for event in events if event["type"] == "model.trained")


async def all_once(application: Any, expected: dict[str, dict[str, str]]) -> None:
    """Wait until all is said; each prediction, score and fact is there once then."""

    async def all_is_said() -> bool:
        return all([expected[one].keys() <= (await ids(application, one)).keys() for one in expected])

    await application.until(all_is_said, 120)
    for logical, of_one in expected.items():
        said = await ids(application, logical)
        assert said.keys() == of_one.keys()
        assert [one for one, count in said.items() if count > 1] == [], logical
    facts = await trained(application)
    assert facts
    assert [one for one, count in facts.items() if count > 1] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_killed_workers_say_all_and_each_once(application: Any) -> None:
    market = a_market()
    expected = told_by_one_engine(market)
    await application.feed(market[:100])
    worker = application.start_worker(**EXACTLY_ONCE)
    feeding = asyncio.create_task(application.feed(market[100:], speed=25))
    for part in (0.25, 0.5, 0.75):
        wanted = int(part * len(expected["predictions"]))

        async def so_many(wanted: int = wanted) -> bool:
            return len(await application.read("predictions")) > wanted

        await application.until(so_many)
        await asyncio.to_thread(worker.kill)
        worker = application.start_worker(**EXACTLY_ONCE)
    await feeding
    await all_once(application, expected)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_worker_frozen_until_another_has_its_partitions_adds_nothing_when_it_wakes(
    application: Any,
) -> None:
    market = a_market()
    expected = told_by_one_engine(market)
    await application.feed(market[:100])
    frozen = application.start_worker(**EXACTLY_ONCE)
    feeding = asyncio.create_task(application.feed(market[100:], speed=25))

    async def so_many(part: float) -> bool:
        return len(await application.read("predictions")) > part * len(expected["predictions"])

    await application.until(lambda: so_many(0.2))
    os.kill(frozen.pid, signal.SIGSTOP)
    application.start_worker(**EXACTLY_ONCE)
    try:
        await application.until(lambda: so_many(0.6))
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    await feeding
    await all_once(application, expected)
