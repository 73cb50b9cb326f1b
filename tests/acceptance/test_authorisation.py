"""A right is taken away while a worker runs: it says which, waits until it is back, and loses nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stream_lstm.errors import BrokerError
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.group import GroupConsumer
from stream_lstm.kafka.membership import GroupConfig
from stream_lstm.kafka.rebalance import Assigned
from tests.acceptance.conftest import Application, installed
from tests.acceptance.rights import AUTHORISING, Operation, Resource, Rights, rights
from tests.acceptance.test_trouble import (
    EXPECTED,
    SETTINGS,
    a_market,
    assert_each_prediction_is_there,
    some_said,
)
from tests.conftest import embedded_kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HALF = 130
"""Candles that are there before the right is taken away."""


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedKafka]:
    with embedded_kafka(AUTHORISING) as broker:
        yield broker


@pytest.fixture
async def own(broker: EmbeddedKafka, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with installed(broker.bootstrap_servers, prefix, tmp_path) as application:
        yield application


@pytest.fixture
async def given(broker: EmbeddedKafka) -> AsyncIterator[Rights]:
    async with rights(broker.bootstrap_servers) as given:
        yield given


def group_of(own: Application) -> str:
    return own.settings["kafka.group"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
async def test_write_on_the_predictions(own: Application, given: Rights, delivery: str) -> None:
    market, topic = a_market(), own.names["predictions"]
    await own.feed(market[:HALF])
    worker = own.start_worker(**SETTINGS, delivery=delivery)
    await own.until(lambda: some_said(own))
    await given.take(Operation.WRITE, Resource.TOPIC, topic)
    await own.feed(market[HALF:])
    await own.logged(f"not allowed to this user: Write on the topic '{topic}'", times=2)
    assert "restoring:" in own.log_of(0)
    assert "not ended in time" not in own.log_of(0)
    await given.give(Operation.WRITE, Resource.TOPIC, topic)
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None


@pytest.mark.timeout(240)
async def test_write_on_the_transactional_ids(own: Application, given: Rights) -> None:
    market, ids = a_market(), f"{group_of(own)}/"
    await own.feed(market[:HALF])
    worker = own.start_worker(**SETTINGS, delivery="exactly_once")
    await own.until(lambda: some_said(own))
    await given.take(Operation.WRITE, Resource.TRANSACTIONAL_ID, ids, prefix=True)
    await own.feed(market[HALF:])
    await own.logged("cannot be restored yet, again in")
    await own.logged(f"not allowed to this user: Write on the transactional id '{ids}")
    await given.give(Operation.WRITE, Resource.TRANSACTIONAL_ID, ids, prefix=True)
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None
    assert await own.count("predictions") >= EXPECTED


@pytest.mark.timeout(240)
@pytest.mark.parametrize("operation", [Operation.READ, Operation.ALL])
async def test_read_on_the_group(own: Application, given: Rights, operation: Operation) -> None:
    market, group = a_market(), group_of(own)
    await own.feed(market[:HALF])
    worker = own.start_worker(**SETTINGS)
    await own.until(lambda: some_said(own))
    await given.take(operation, Resource.GROUP, group)
    await own.feed(market[HALF:])
    missing = f"waits for a right: not allowed to this user: Read on the group '{group}'; asks again in"
    await own.logged(missing, times=3)
    assert worker.exit_code is None
    assert own.log_of(0).count(missing) < 10, "it must wait longer and longer"
    await given.give(operation, Resource.GROUP, group)
    await assert_each_prediction_is_there(own)
    assert "from the earliest" not in own.log_of(0).split(missing)[1]
    assert worker.exit_code is None


@pytest.mark.timeout(240)
async def test_read_on_the_group_before_the_start(own: Application, given: Rights) -> None:
    group = group_of(own)
    await own.feed(a_market())
    await given.take(Operation.READ, Resource.GROUP, group)
    worker = own.start_worker(**SETTINGS)
    await own.logged(f"not allowed to this user: Read on the group '{group}'; asks again in", times=2)
    await given.give(Operation.READ, Resource.GROUP, group)
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None


@pytest.mark.timeout(240)
async def test_a_worker_that_waits_for_a_right_can_be_stopped(own: Application, given: Rights) -> None:
    await own.feed(a_market()[:HALF])
    worker = own.start_worker(**SETTINGS)
    await own.until(lambda: some_said(own))
    await given.take(Operation.ALL, Resource.GROUP, group_of(own))
    await own.logged("asks again in")
    await asyncio.to_thread(worker.stop, 25)
    assert worker.exit_code == 0
    assert "cut off" not in own.log_of(0)


@pytest.mark.timeout(240)
async def test_read_on_the_candles(own: Application, given: Rights) -> None:
    market = a_market()
    await own.feed(market[:HALF])
    worker = own.start_worker(**SETTINGS)
    await own.until(lambda: some_said(own))
    await given.take(Operation.READ, Resource.TOPIC, own.candles)
    await own.feed(market[HALF:])
    missing = f"not allowed to this user: Read on the topic '{own.candles}'; asks again in"
    await own.logged(missing, times=3)
    assert own.log_of(0).count(missing) < 10, "it must wait longer and longer"
    await given.give(Operation.READ, Resource.TOPIC, own.candles)
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None


@pytest.mark.timeout(240)
async def test_candles_that_may_not_even_be_seen(own: Application, given: Rights) -> None:
    market = a_market()
    await own.feed(market[:HALF])
    worker = own.start_worker(**SETTINGS)
    await own.until(lambda: some_said(own))
    await given.take(Operation.ALL, Resource.TOPIC, own.candles)
    await own.logged(f"not seen any more: '{own.candles}'; deleted, or not allowed to this user")
    await given.give(Operation.ALL, Resource.TOPIC, own.candles)
    await own.feed(market[HALF:])
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None


async def test_a_refused_offset_is_not_taken_for_none(own: Application, given: Rights) -> None:
    config = GroupConfig(group_id=group_of(own), pattern=f"^(?:{own.candles})$")
    group = GroupConsumer(own.connection, config)
    await group.start(Deadline(20))
    while not (changes := group.changes()):
        await group.poll(1, 1)
    assert isinstance(changes[0], Assigned)
    place = (own.candles, 0)
    await group.commit({place: 7}, Deadline(10))
    await given.take(Operation.ALL, Resource.GROUP, config.group_id)
    with pytest.raises(BrokerError, match=f"not allowed to this user: Read on the group '{config.group_id}'"):
        await group.committed(place, Deadline(10))
    await given.give(Operation.ALL, Resource.GROUP, config.group_id)
    assert await group.committed(place, Deadline(10)) == 7
    await group.stop(Deadline(10))
