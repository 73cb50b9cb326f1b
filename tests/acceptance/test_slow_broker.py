"""A broker behind a slow network: it costs time, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from stream_lstm.kafka.embedded import EmbeddedKafka, HeldPort
from tests.acceptance.conftest import Application, installed
from tests.acceptance.slow_link import SlowLink
from tests.acceptance.test_trouble import WARM_UP, a_market, assert_each_prediction_is_there, some_said
from tests.conftest import embedded_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Ports(NamedTuple):
    behind: HeldPort
    """Where the broker listens for those who come over the link."""
    front: HeldPort
    """Where the broker tells them to come to: the link."""


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    ports = Ports(HeldPort(), HeldPort())
    yield ports
    for port in ports:
        port.release()


@pytest.fixture(scope="module")
def broker(ports: Ports) -> Iterator[EmbeddedKafka]:
    """Two listeners: the test's own, and one that can be reached over the link alone."""
    ours, slow = "PLAINTEXT://127.0.0.1:{port}", "SLOW://127.0.0.1:"
    listeners = f"{ours},{slow}{ports.behind.number},CONTROLLER://127.0.0.1:{{controller_port}}"
    properties = {
        "listeners": listeners,
        "advertised.listeners": f"{ours},{slow}{ports.front.number}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SLOW:PLAINTEXT",
    }
    with embedded_kafka(properties) as broker:
        yield broker


@pytest.fixture
async def own(broker: EmbeddedKafka, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with installed(broker.bootstrap_servers, prefix, tmp_path) as application:
        yield application


@pytest.fixture
async def link(ports: Ports) -> AsyncIterator[SlowLink]:
    async with SlowLink(ports.behind.number).listening(ports.front.number) as link:
        yield link


def over_the_link(ports: Ports) -> dict[str, str]:
    return {
        "kafka__bootstrap_servers": f"127.0.0.1:{ports.front.number}",
        "model": "hybrid",
        "store__checkpoint_interval": "1s",
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
async def test_with_a_slow_broker_all_is_said_no_partition_is_lost_and_a_stop_ends(
    own: Application, link: SlowLink, ports: Ports, delivery: str
) -> None:
    market = a_market()
    link.delay_s = 0.3
    await own.feed(market[:WARM_UP])
    # A transaction takes six answers and no longer than a session.
    worker = own.start_worker(**over_the_link(ports), delivery=delivery, kafka__session_timeout="30s")
    feeding = asyncio.create_task(own.feed(market[WARM_UP:], speed=10))
    await assert_each_prediction_is_there(own)
    await feeding
    assert worker.exit_code is None
    await asyncio.to_thread(worker.stop, 25)
    assert worker.exit_code == 0
    log = own.log_of(0)
    assert "stopping: told to stop" in log
    for trouble in ("restoring:", "cut off", "no broker answers", "does not end"):
        assert trouble not in log, log[-4000:]


@pytest.mark.timeout(300)
async def test_a_broker_that_hardly_answers_is_waited_for_and_the_log_says_for_what(
    own: Application, link: SlowLink, ports: Ports
) -> None:
    market = a_market()
    await own.feed(market[:120])
    worker = own.start_worker(**over_the_link(ports), kafka__session_timeout="30s")
    await own.until(lambda: some_said(own))
    link.delay_s = 8.0
    await own.feed(market[120:])
    await own.logged("waits for Kafka for 3 s")
    assert "records are not acknowledged by" in own.log_of(0) or "are not committed" in own.log_of(0)
    link.delay_s = 0.0
    await assert_each_prediction_is_there(own)
    await own.logged("waited for Kafka for")
    assert worker.exit_code is None


@pytest.mark.timeout(300)
async def test_a_worker_without_a_partition_lives_with_a_slow_broker(
    own: Application, link: SlowLink, ports: Ports
) -> None:
    """Nothing is fetched by it, so that it has to ask whether its broker is there."""
    link.delay_s = 0.6
    settings = over_the_link(ports) | {
        "worker__stall_timeout": "12s",
        "kafka__rebalance_timeout": "10s",
        "kafka__session_timeout": "10s",
    }
    workers = [own.start_worker(**settings) for _ in range(4)]
    for number in range(4):
        await own.logged("assigned", worker=number)
    await asyncio.sleep(15)
    assert [worker.exit_code for worker in workers] == [None] * 4
    assert not [number for number in range(4) if "no broker answers" in own.log_of(number)]
