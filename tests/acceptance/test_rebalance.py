"""Workers come and go while partitions are being restored: each ends up live once, and nothing goes wrong."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.group_offsets import committed
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.settings import load
from stream_lstm.verification.judge import Extent, judge
from tests.acceptance.conftest import Application, installed
from tests.acceptance.test_restart import SESSION

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HOUR = 3_600_000
PARTITIONS, SERIES, HISTORY, MORE = 12, 36, 260, 40
SETTINGS = {
    "model": "hybrid",
    "store__checkpoint_interval": "0s",  # so that a restoration has something to do
    "history__rewind_candles": "1000",
    **SESSION,
}
ASSIGNED = re.compile(r"assigned (\d+) partitions")
LIVE = re.compile(r"candles-(\d+): partition\.re(?:stored|built)")


def a_market(series: int = SERIES) -> list[moments.Moment]:
    market = moments.of_market(
        moments.symbols(series), interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=4
    )
    return list(itertools.islice(market, HISTORY + MORE))


async def settled(application: Any) -> bool:
    """Whether every offset is committed."""
    group = application.settings["kafka.group"]
    async with LogReader(application.connection, Deadline(20)) as reader:
        spans = await reader.spans(await reader.partitions(application.candles))
    ends = {(at.topic, at.partition): span.stop for at, span in spans.items()}
    return bool(await committed(application.connection, group, Deadline(20)) == ends)


def live_since_the_last_assignment(log: str) -> list[int]:
    """Partitions that have gone live in a worker's last generation, each as often as it did."""
    last = max((found.end() for found in ASSIGNED.finditer(log)), default=len(log))
    return [int(number) for number in LIVE.findall(log[last:])]


async def assert_all_is_as_one_engine_says(application: Any) -> None:
    options = [f"{name}={value}" for name, value in application.settings.items()]
    found = await judge(load(None, [*options, "model=hybrid"], {}), Extent())
    assert found.verdict.passed, f"{found.verdict.sentence}: {found.first}"
    assert found.verdict.expected > SERIES * MORE


@pytest.fixture
async def wide(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    """An installation of twelve partitions, and a group that has read most of its candles."""
    async with installed(kafka, prefix, tmp_path, PARTITIONS) as application:
        await application.feed(a_market()[:HISTORY])
        first = application.start_worker(**SETTINGS)
        await application.until(lambda: settled(application), 120)
        await asyncio.to_thread(first.stop, 20)
        yield application


@pytest.mark.timeout(400)
async def test_five_workers_one_added_and_one_killed_in_the_middle_of_the_restorations(
    wide: Application,
) -> None:
    workers = [wide.start_worker(**SETTINGS) for _ in range(4)]
    feeding = asyncio.create_task(wide.feed(a_market()[HISTORY:], speed=4))

    async def restoring() -> bool:
        return bool(sum(bool(ASSIGNED.search(wide.log_of(number))) for number in range(1, 5)) == 4)

    await wide.until(restoring)
    workers.append(wide.start_worker(**SETTINGS))
    await asyncio.sleep(1.0)
    await asyncio.to_thread(workers[1].kill)
    await feeding
    await wide.until(lambda: settled(wide), 150)
    alive = [number for number in range(1, 6) if number != 2]
    live = [place for number in alive for place in live_since_the_last_assignment(wide.log_of(number))]
    assert sorted(live) == list(range(PARTITIONS))
    for number in alive:
        assert "Traceback" not in wide.log_of(number), wide.log_of(number)
    await assert_all_is_as_one_engine_says(wide)


@pytest.mark.timeout(400)
async def test_a_killed_worker_is_replaced_and_a_static_one_that_restarts_moves_nothing(
    wide: Application,
) -> None:
    # Longer than a process takes to start on a busy machine.
    static = SETTINGS | {"store__checkpoint_interval": "1s", "kafka__session_timeout": "10s"}
    for name in ("a", "b", "c"):
        wide.start_worker(**static, worker__instance=name)
    numbers = [1, 2, 3]
    feeding = asyncio.create_task(wide.feed(a_market()[HISTORY:], speed=1))

    async def all_live() -> bool:
        live = [place for number in numbers for place in live_since_the_last_assignment(wide.log_of(number))]
        return sorted(live) == list(range(PARTITIONS))

    await wide.until(all_live)
    await asyncio.sleep(3)
    before = [len(ASSIGNED.findall(wide.log_of(number))) for number in (1, 2)]
    await asyncio.to_thread(wide.workers[3].stop, 20)
    wide.start_worker(**static, worker__instance="c")
    numbers = [1, 2, 4]
    await wide.until(all_live, 15)
    assert [len(ASSIGNED.findall(wide.log_of(number))) for number in (1, 2)] == before
    await asyncio.to_thread(wide.workers[1].kill)
    numbers = [2, 4]
    await wide.until(all_live, 60)
    await feeding
    await wide.until(lambda: settled(wide), 150)
    await assert_all_is_as_one_engine_says(wide)


async def test_what_was_cancelled_has_said_nothing(wide: Application) -> None:
    """A worker that is told to stop in the middle of its restorations leaves the log as it was."""
    before = await wide.count("predictions")
    worker = wide.start_worker(**SETTINGS)

    async def assigned() -> bool:
        return bool(ASSIGNED.search(wide.log_of(1)))

    await wide.until(assigned)
    await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 0
    assert await wide.count("predictions") == before
    events = [orjson.loads(record.value) for record in await wide.read("model-events")]
    assert all(event["type"] != "model.trained" for event in events)
