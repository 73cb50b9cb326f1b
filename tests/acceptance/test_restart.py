"""A worker is killed in the middle: nothing is lost, and what is repeated says so by its id."""

import asyncio
import itertools
from collections import Counter, defaultdict
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.log_reader import LogReader

pytestmark = pytest.mark.kafka

HOUR = 3_600_000
SERIES, CANDLES, WARM_UP = 4, 260, 100
HORIZONS = ("1h", "4h", "1d", "7d")
SESSION = {"kafka__session_timeout": "3s", "kafka__heartbeat_interval": "300ms"}


def a_market() -> list[moments.Moment]:
    market = moments.of_market(
        moments.symbols(SERIES), interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=9
    )
    return list(itertools.islice(market, CANDLES))


def expected_ids(market: list[moments.Moment]) -> set[str]:
    return {
        f"{candle.series}:{candle.close_ms}:{horizon}"
        for moment in market[WARM_UP - 1 :]
        for candle in moment
        for horizon in HORIZONS
    }


async def ids_and_revisions(application: Any) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for record in await application.read("predictions"):
        body = orjson.loads(record.value)
        found[body["id"]].append(body["revision"])
    return found


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_worker_killed_in_the_middle_loses_nothing(application: Any) -> None:
    market = a_market()
    expected = expected_ids(market)
    await application.feed(market[:150])
    first = application.start_worker(**SESSION)
    feeding = asyncio.create_task(application.feed(market[150:], speed=30))

    async def in_the_middle() -> bool:
        return bool(await application.count("predictions") > len(expected) // 2)

    await application.until(in_the_middle)
    await asyncio.to_thread(first.kill)
    said_before = await application.count("predictions")
    application.start_worker(**SESSION)
    await feeding

    async def everything_is_said() -> bool:
        return expected <= (await ids_and_revisions(application)).keys()

    await application.until(everything_is_said)
    found = await ids_and_revisions(application)
    assert found.keys() == expected
    assert {revision for revisions in found.values() for revision in revisions} == {0}
    assert said_before < len(expected)
    repeats = sum(len(revisions) - 1 for revisions in found.values())
    assert repeats < len(expected) / 4, "what was committed must not be said again"


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_second_worker_takes_its_share_and_a_stop_hands_it_back(application: Any) -> None:
    market = a_market()
    await application.feed(market[:120])
    application.start_worker(**SESSION)

    async def says(count: int) -> bool:
        return bool(await application.count("predictions") >= count)

    await application.until(lambda: says(21 * SERIES * len(HORIZONS)))
    second = application.start_worker(**SESSION)

    async def restored(worker: str) -> bool:
        events = [orjson.loads(record.value) for record in await application.read("model-events")]
        ids = Counter(event["workerId"] for event in events if event["type"].startswith("partition."))
        return len(ids) >= 2

    await application.until(lambda: restored("second"))
    await application.feed(market[120:190])
    await application.until(lambda: says(91 * SERIES * len(HORIZONS)))
    await asyncio.to_thread(second.stop, 25)
    assert second.exit_code == 0, application.log_of(1)[-3000:]
    await application.feed(market[190:])
    expected = expected_ids(market)

    async def everything_is_said() -> bool:
        return expected <= (await ids_and_revisions(application)).keys()

    await application.until(everything_is_said)
    assert (await ids_and_revisions(application)).keys() == expected


async def test_a_stopped_worker_has_committed_all_that_it_said(application: Any) -> None:
    market = a_market()[:130]
    await application.feed(market)
    worker = application.start_worker()
    count = 31 * SERIES * len(HORIZONS)

    async def all_said() -> bool:
        return bool(await application.count("predictions") >= count)

    await application.until(all_said)
    await asyncio.to_thread(worker.stop, 25)
    assert worker.exit_code == 0, application.log_of(0)[-3000:]
    again = application.start_worker()

    async def restored() -> bool:
        events = [orjson.loads(record.value) for record in await application.read("model-events")]
        return sum(event["type"] == "partition.restored" for event in events) >= 6

    await application.until(restored)
    await asyncio.to_thread(again.stop, 25)
    assert await application.count("predictions") == count
    assert "checkpoint at" in application.log_of(1), "the first one has saved its state when it was stopped"
    async with LogReader(application.connection, Deadline(20)) as reader:
        assert len(await reader.partitions(application.candles)) == 3
