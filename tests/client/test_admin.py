"""Commands on a real Kafka, answered from a script."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import pytest

from stream_lstm.client import (
    BrokerError,
    Command,
    CommandFailed,
    KafkaConnection,
    ModelAdmin,
    NoAnswer,
)
from stream_lstm.errors import CommandError, TopicMissing
from stream_lstm.kafka.embedded import EmbeddedKafka
from tests.client.scripted import ANSWERS, Installation, Worker, by_command, model, refusal, reply

pytestmark = pytest.mark.kafka


def admin_of(installation: Installation, timeout: float = 20) -> ModelAdmin:
    return ModelAdmin(installation.connection, prefix=installation.names.prefix, timeout=timeout)


def a_command(**changes: Any) -> Command:
    now = int(time.time() * 1000)
    fields = {"command": "pause", "command_id": str(uuid4()), "issued_at": now, "symbol": "BTCUSDT"}
    return Command.model_validate(fields | changes)


async def test_every_command_has_a_typed_result(installation: Installation, worker: Worker) -> None:
    async with admin_of(installation) as admin:
        prediction = await admin.predict("BTCUSDT", "4h", 0.9, exchange="binance", interval="1h")
        assert prediction.quantile(0.5) == pytest.approx(65512.0)
        assert (await admin.predict("BTCUSDT", model_type="hybrid")).model_info.model_type == "hybrid"
        assert (await admin.regime("BTCUSDT", 7)).current_regime == "SIDEWAYS"
        assert [row.symbol for row in (await admin.list_models()).models] == ["ETHUSDT", "BTCUSDT"]
        assert (await admin.model_stats("BTCUSDT")).mae == 12.5
        assert (await admin.delete_model("BTCUSDT")).deleted_count == 1
        assert (await admin.cleanup_models(7)).max_age_days == 7
        assert (await admin.retrain("BTCUSDT")).queued
        assert (await admin.pause("BTCUSDT")).paused
        assert not (await admin.resume("BTCUSDT", take_over=True)).paused
        assert (await admin.describe("BTCUSDT")).training.place == 3
    asked = {each.command: each for each in worker.asked}
    assert asked.keys() == ANSWERS.keys()
    assert len({each.command_id for each in worker.asked}) == len(worker.asked)
    assert all(each.expires_at == each.issued_at + 20_000 for each in worker.asked)
    assert (asked["regime"].lookback_days, asked["resume"].take_over) == (7, True)
    assert worker.asked[0].confidence == 0.9


@pytest.mark.slow
async def test_hundreds_of_commands_at_once_each_get_their_own_answer(
    installation: Installation, worker: Worker
) -> None:
    async with admin_of(installation) as admin:
        symbols = [f"S{number}" for number in range(300)]
        told = await asyncio.gather(*(admin.describe(symbol) for symbol in symbols))
    assert [each.symbol for each in told] == symbols


async def test_a_no_is_an_error_with_its_code_and_reply(installation: Installation) -> None:
    answer = by_command({"model-stats": refusal("MODEL_NOT_FOUND", "No model found for X")})
    async with Worker(installation, answer), admin_of(installation) as admin:
        with pytest.raises(CommandFailed, match="MODEL_NOT_FOUND: No model found for X") as failed:
            await admin.model_stats("X")
    assert failed.value.code == "MODEL_NOT_FOUND"
    assert failed.value.reply is not None
    assert failed.value.reply.worker_id == "w1"


async def test_what_cannot_be_a_command_is_not_even_sent(installation: Installation, worker: Worker) -> None:
    async with admin_of(installation) as admin:
        with pytest.raises(CommandFailed, match=r"INVALID_REQUEST: confidence: .*less than or equal"):
            await admin.predict("BTCUSDT", confidence=1.5)
        with pytest.raises(CommandFailed, match="INVALID_REQUEST: symbol"):
            await admin.pause("")
        with pytest.raises(CommandFailed, match="INVALID_REQUEST: max_age_days"):
            await admin.cleanup_models(-1)
        await admin.pause("BTCUSDT")
    assert [each.command for each in worker.asked] == ["pause"]


async def test_a_reply_of_another_version_is_said_to_be_one(installation: Installation) -> None:
    answer = by_command({"pause": {"data": {"stopped": True}}})
    async with Worker(installation, answer), admin_of(installation) as admin:
        with pytest.raises(
            CommandError, match=r"reply of w1 to pause cannot be read.*paused: Field required"
        ):
            await admin.pause("BTCUSDT")


async def test_pages_are_one_list_whoever_else_has_begun_one(installation: Installation) -> None:
    names = [f"S{number}" for number in range(12)]
    async with Worker(installation, lambda command: None) as silent, admin_of(installation) as admin:
        asking = asyncio.create_task(admin.list_models())
        while not silent.asked:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.02)
        for worker, pages in (("other", 1), ("one", 3)):
            for page in range(pages):
                rows = [model(name) for name in names[4 * page : 4 * page + 4]]
                said = {"data": {"models": rows, "count": 12}, "page": page + 1, "pages": 3}
                await installation.reply(reply(silent.asked[0].command_id, "list-models", worker, **said))
        found = await asking
    assert [row.symbol for row in found.models] == names
    assert found.count == 12


async def test_everybody_is_given_the_same_first_reply_to_an_id(installation: Installation) -> None:
    command = a_command()
    yes = reply(command.command_id, "pause", "w1")
    no = reply(command.command_id, "pause", "w2", **refusal("OWNER_UNAVAILABLE"))
    async with admin_of(installation) as early:
        waiting = [asyncio.create_task(early.reply_to(command.command_id)) for _ in range(3)]
        sending = asyncio.create_task(early.command(command))
        await installation.reply(yes, no)
        replies = [*await asyncio.gather(*waiting), await sending, await early.command(command)]
    async with admin_of(installation) as late, Worker(installation, lambda command: no):
        replies += [await late.reply_to(command.command_id), await late.command(command)]
    assert {each.worker_id for each in replies} == {"w1"}


async def test_no_worker_is_an_error_that_says_what_to_do(installation: Installation) -> None:
    async with admin_of(installation) as admin:
        with pytest.raises(NoAnswer) as silence:
            await admin.predict("BTCUSDT", "1h", timeout=1)
        assert admin.silent_since_ms is not None
    text, names = str(silence.value), installation.names
    assert "no answer to predict BTCUSDT 1h within 1 s" in text
    assert "`stream-lstm run`" in text
    assert repr(names["control"]) in text
    assert repr(names["model-events"]) in text


async def test_topics_that_are_not_there_are_named_at_once(connection: KafkaConnection, prefix: str) -> None:
    async with asyncio.timeout(20), ModelAdmin(connection, prefix=prefix, timeout=60) as admin:
        with pytest.raises(TopicMissing, match=rf"no topic '{prefix}model-events'.*topics.prefix"):
            await admin.list_models()


async def test_without_kafka_it_waits_for_its_time_and_says_so() -> None:
    async with asyncio.timeout(20), ModelAdmin("127.0.0.1:1", timeout=1) as admin:
        with pytest.raises(
            BrokerError, match=r"nothing was asked, for 1 s there was no Kafka.*127\.0\.0\.1:1"
        ):
            await admin.pause("BTCUSDT")
        assert "127.0.0.1:1" in str(await admin.trouble(0.5))


async def test_it_knows_whether_anybody_answers(installation: Installation, worker: Worker) -> None:
    async with admin_of(installation) as admin:
        assert admin.last_answer_ms is None
        before = int(time.time() * 1000)
        await admin.pause("BTCUSDT")
        assert admin.last_answer_ms is not None
        assert admin.last_answer_ms >= before
        assert admin.silent_since_ms is None
        assert await admin.trouble() is None


@pytest.mark.slow
async def test_it_goes_on_when_a_killed_broker_is_back(private_kafka: EmbeddedKafka, prefix: str) -> None:
    installation = Installation(KafkaConnection(private_kafka.bootstrap_servers), prefix)
    await installation.create()
    async with Worker(installation), admin_of(installation, 60) as admin:
        await admin.pause("BTCUSDT")
        await asyncio.to_thread(private_kafka.kill)
        assert await admin.trouble(0.5) is not None
        with pytest.raises((BrokerError, NoAnswer)):
            await admin.pause("BTCUSDT", timeout=1)
        asking = asyncio.create_task(admin.resume("BTCUSDT"))
        await asyncio.to_thread(private_kafka.restart)
        assert not (await asking).paused
    await installation.stop()


@pytest.mark.slow
async def test_entered_without_kafka_it_works_when_there_is_one(
    private_kafka: EmbeddedKafka, prefix: str
) -> None:
    installation = Installation(KafkaConnection(private_kafka.bootstrap_servers), prefix)
    await installation.create()
    await asyncio.to_thread(private_kafka.kill)
    async with admin_of(installation, 60) as admin:
        with pytest.raises(BrokerError, match="there was no Kafka"):
            await admin.pause("BTCUSDT", timeout=1)
        await asyncio.to_thread(private_kafka.restart)
        async with Worker(installation):
            assert (await admin.pause("BTCUSDT")).paused
    await installation.stop()
