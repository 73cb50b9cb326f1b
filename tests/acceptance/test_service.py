"""A worker process from its start to its end."""

import asyncio
import json
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

pytestmark = pytest.mark.kafka


async def ended(worker: Any, seconds: float = 20) -> int:
    async with asyncio.timeout(seconds):
        while worker.exit_code is None:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    return int(worker.exit_code)


async def logged(application: Any, text: str, worker: int = 0) -> str:
    """Wait until a worker has said something; all that it has said."""
    async with asyncio.timeout(30):
        while text not in (log := application.log_of(worker)):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    return str(log)


def page(log: str, path: str) -> tuple[int, Any]:
    found = re.search(r"health and metrics on (http://[^\s\"]+)", log)
    assert found
    try:
        with urllib.request.urlopen(found[1] + path, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


async def test_it_says_what_it_will_do_is_ready_and_stops_in_time(application: Any) -> None:
    worker = application.start_worker(training__expiry="12h")
    log = await logged(application, "assigned")
    assert "training.expiry = 12h" in log
    assert f"{application.candles} (3 partitions)" in log
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(page, log, "/readyz"))[0] != 200:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    status, metrics = await asyncio.to_thread(page, log, "/metrics")
    assert status == 200
    assert b"stream_lstm_build_info{" in metrics
    assert (await asyncio.to_thread(page, log, "/livez"))[0] == 200
    await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 0
    kinds = [orjson.loads(record.value)["type"] for record in await application.read("model-events")]
    assert kinds[0] == "worker.started"
    assert kinds[-1] == "worker.stopped"


async def test_a_missing_topic_is_named_with_the_way_out(application: Any) -> None:
    worker = application.start_worker(inputs='[{"topic": "no-such-topic"}]')
    assert await ended(worker) == 1
    assert "no topic 'no-such-topic'" in application.log_of(0)
    assert "stream-lstm topics create" in application.log_of(0)


async def test_a_port_that_is_taken_is_named_with_its_setting(application: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        worker = application.start_worker(metrics__port=str(taken.getsockname()[1]))
        assert await ended(worker) == 2
    assert "metrics.port" in application.log_of(0)


async def test_without_a_broker_it_waits_says_so_and_can_be_stopped(application: Any) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        worker = application.start_worker(
            kafka__bootstrap_servers=f"127.0.0.1:{nobody.getsockname()[1]}", log__format="json"
        )
        log = await logged(application, "waits for Kafka")
        lines = [json.loads(line) for line in log.splitlines()]
        assert {"at", "level", "logger", "message"} <= lines[0].keys()
        assert (await asyncio.to_thread(page, log, "/readyz"))[0] == 503
        await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 0


@pytest.mark.slow
async def test_it_stops_in_the_middle_of_a_training_and_leaves_no_process(
    application: Any, tmp_path: Path
) -> None:
    from itertools import islice

    import psutil

    from stream_lstm.candles import moments

    market = moments.of_market(moments.symbols(4), interval="1h", start_ms=10**12, seed=1)
    await application.feed(list(islice(market, 300)))
    worker = application.start_worker()
    process = psutil.Process(worker.pid)
    async with asyncio.timeout(60):
        while not process.children():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.02)
    children = process.children()
    await asyncio.to_thread(worker.stop, 20)
    assert worker.exit_code == 0
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, 3)  # they notice that it has ended
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
