"""SASL_SSL, SCRAM and ACLs: a worker runs with the listed rights, and says which of them is missing."""

import asyncio
from collections.abc import Iterator

import pytest

from stream_lstm.client import KafkaConnection, ModelAdmin, PredictionStream
from stream_lstm.dead_letters import replay as dead_letter_replay
from stream_lstm.dead_letters.overview import overview
from stream_lstm.dead_letters.plan import Wanted
from stream_lstm.dead_letters.selection import Selection
from stream_lstm.kafka import acls, topic_admin
from stream_lstm.kafka.acls import Acl, Installation
from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.topics import DEAD_LETTERS, TopicNames, specs
from tests.acceptance.conftest import Application
from tests.acceptance.rights import Rights
from tests.acceptance.test_trouble import SETTINGS, a_market, assert_each_prediction_is_there, some_said
from tests.secured import BOT, PASSWORD, USER, Secured

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

DELIVERIES = ("at_least_once", "exactly_once")
PATTERN = Installation(TopicNames(), ["candles"], [], "the-group")


def installation_of(own: Application, delivery: str = "at_least_once") -> Installation:
    return Installation(own.names, [own.candles], [], own.settings["kafka.group"], delivery == "exactly_once")


def start(
    own: Application, secured: Secured, delivery: str, password: str = PASSWORD, **more: str
) -> BoundProcess:
    file = own.folder / "password"
    file.write_text(password)
    return own.start_worker(
        **SETTINGS | {"delivery": delivery} | more,
        kafka__bootstrap_servers=secured.servers("SASL_TLS"),
        kafka__security__protocol="SASL_SSL",
        kafka__security__mechanism="SCRAM-SHA-512",
        kafka__security__username=USER,
        kafka__security__password_file=str(file),
        kafka__security__ca_file=str(secured.ca_file),
    )


def bot(secured: Secured) -> KafkaConnection:
    return secured.connection("SASL_TLS", secured.scram(user=BOT))


async def trained(own: Application) -> bool:
    return bool(await own.events("model.trained"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("delivery", DELIVERIES)
async def test_a_worker_and_its_bots_need_no_more_than_is_listed(
    own: Application, given: Rights, secured: Secured, delivery: str
) -> None:
    at = installation_of(own, delivery)
    await given.allow(acls.worker(at), f"User:{USER}")
    await given.allow([*acls.gateway(at), *acls.predictions(at)], f"User:{BOT}")
    await own.feed(a_market())
    worker = start(own, secured, delivery, model="har", log__level="debug")
    await assert_each_prediction_is_there(own)
    await own.until(lambda: trained(own))
    async with ModelAdmin(bot(secured), prefix=own.names.prefix) as admin:
        assert await admin.list_models()
    async with PredictionStream(bot(secured), prefix=own.names.prefix) as predictions:
        assert (await anext(predictions)).symbol
    await asyncio.to_thread(worker.stop, 25)
    assert worker.exit_code == 0
    assert "not allowed" not in own.log_of(0)
    assert PASSWORD not in own.log_of(0)


def listed() -> Iterator[tuple[str, int]]:
    for delivery in DELIVERIES:
        at = PATTERN._replace(exactly_once=delivery == "exactly_once")
        yield from ((delivery, number) for number in range(len(acls.worker(at))))


def called(case: tuple[str, int]) -> str:
    delivery, number = case
    return f"{delivery}: {acls.worker(PATTERN._replace(exactly_once=True))[number]}"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", [*listed()], ids=called)
async def test_a_right_that_is_missing_is_named(
    own: Application, given: Rights, secured: Secured, case: tuple[str, int]
) -> None:
    delivery, number = case
    needed = acls.worker(installation_of(own, delivery))
    missing = needed.pop(number)
    await given.allow(needed, f"User:{USER}")
    # A candle that is none, so that everything is written that a worker writes.
    await own.send([(b"no candle", 1)])
    await own.feed(a_market())
    worker = start(own, secured, delivery)
    await said(own, worker, told(missing))
    assert [str(other) for other in needed if told(other) in own.log_of(0)] == []


def told(missing: Acl) -> str:
    """How a worker names it: its own transactional id, not the beginning of all of them."""
    return str(missing._replace(prefixed=False))[:-1] if missing.prefixed else str(missing)


async def said(own: Application, worker: BoundProcess, text: str) -> None:
    async with asyncio.timeout(120):
        while text not in own.log_of(0):
            assert worker.exit_code is None, f"not said: {text} in:\n{own.log_of(0)[-4000:]}"
            await asyncio.sleep(0.2)


@pytest.mark.timeout(120)
async def test_a_worker_with_a_wrong_password_ends_and_says_so(own: Application, secured: Secured) -> None:
    worker = start(own, secured, "at_least_once", password="hunter2")
    async with asyncio.timeout(60):
        while worker.exit_code is None:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.1)
    assert worker.exit_code == 1
    log = own.log_of(0)
    assert f"{secured.servers('SASL_TLS')}: Kafka refuses SCRAM-SHA-512 as '{USER}'" in log
    assert "Traceback" not in log
    assert "hunter2" not in log


@pytest.mark.timeout(240)
async def test_a_worker_goes_on_when_its_secured_broker_was_away(
    own: Application, given: Rights, secured: Secured
) -> None:
    await given.allow(acls.worker(installation_of(own)), f"User:{USER}")
    market = a_market()
    await own.feed(market[:130])
    worker = start(own, secured, "at_least_once")
    await own.until(lambda: some_said(own))
    await asyncio.to_thread(secured.kafka.kill)
    await asyncio.to_thread(secured.kafka.restart)
    await own.feed(market[130:])
    await assert_each_prediction_is_there(own)
    assert worker.exit_code is None


@pytest.mark.timeout(120)
async def test_the_tools_need_no_more_than_is_listed(
    own: Application, given: Rights, secured: Secured, prefix: str
) -> None:
    at = installation_of(own)
    made = at._replace(names=TopicNames(f"{prefix}more."), topics=[f"{prefix}more.in"])
    await given.allow(acls.topics_create(made), f"User:{BOT}")
    created = await topic_admin.create(bot(secured), specs(made.names, made.topics), Deadline(30))
    assert len(created) == 6
    letters = own.names[DEAD_LETTERS]
    await given.allow(acls.dlq_show(at), f"User:{BOT}")
    assert (await overview(bot(secured), letters, Selection())).told()["letters"] == 0
    await given.allow(acls.dlq_replay(at), f"User:{BOT}")
    wanted = Wanted(selection=Selection(), is_input=lambda topic: True)
    assert (await dead_letter_replay.replay(bot(secured), letters, wanted)).told()["records"] == 0
