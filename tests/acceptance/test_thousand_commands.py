"""A thousand commands of every kind at three workers, one of which is killed: each is answered, once done."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from itertools import islice
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.client import ModelAdmin
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.records import Record
from tests.acceptance.conftest import Application

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HOUR = 3_600_000
COMMANDS, WITHIN_SECONDS = 1_000, 60
SYMBOLS = moments.symbols(8)
FAST = {"kafka__session_timeout": "3s", "kafka__heartbeat_interval": "300ms", "model": "har"}
ABOUT_A_SERIES = (
    "predict",
    "regime",
    "model-stats",
    "retrain",
    "pause",
    "resume",
    "describe",
    "delete-model",
)


def drawn(chance: random.Random, at: int) -> tuple[str | None, dict[str, Any] | bytes]:
    """A command and its id; bytes for what is no JSON."""
    id, now = f"c-{at}", int(time.time() * 1000)
    valid = {"commandId": id, "issuedAt": now, "expiresAt": now + WITHIN_SECONDS * 1000}
    kind = chance.choices(
        ("series", "set", "unknown symbol", "unknown", "malformed", "ambiguous"), (60, 6, 8, 8, 8, 10)
    )[0]
    if kind == "series":
        return id, valid | {"command": chance.choice(ABOUT_A_SERIES), "symbol": chance.choice(SYMBOLS[2:])}
    if kind == "set":
        return id, valid | chance.choice(
            ({"command": "list-models"}, {"command": "cleanup-models", "maxAgeDays": 36500})
        )
    if kind == "unknown symbol":
        return id, valid | {"command": chance.choice(ABOUT_A_SERIES), "symbol": f"NONE{at}"}
    if kind == "unknown":
        return id, valid | {"command": chance.choice(("dance", "", "PREDICT")), "symbol": SYMBOLS[0]}
    if kind == "ambiguous":  # the first two have candles of two intervals
        return id, valid | {
            "command": chance.choice(("predict", "describe", "retrain")),
            "symbol": SYMBOLS[at % 2],
        }
    return chance.choice(
        (
            (None, b"{no json"),
            (None, {"command": "predict", "commandId": 7}),
            (id, valid | {"command": "predict", "symbol": None}),
            (id, {"command": "pause", "commandId": id}),
            (id, valid | {"command": "predict", "symbol": SYMBOLS[3], "confidence": 7}),
        )
    )


async def feed(application: Application) -> None:
    hours = moments.of_market(SYMBOLS, interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=9)
    longer = moments.of_market(SYMBOLS[:2], interval="4h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=9)
    await application.feed(islice(hours, 130))
    await application.feed(islice(longer, 130))


async def told(application: Application) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in await application.read("model-events")]


def first_replies(events: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The pages of the first complete reply to each command."""
    pages: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    complete: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event["type"] not in ("command.reply", "command.rejected") or event["correlationId"] is None:
            continue
        id = event["correlationId"]
        known = pages[id, event["workerId"]]
        known.append(event)
        if len({page["page"] for page in known}) == event["pages"] and id not in complete:
            complete[id] = [*known]
    return complete


@pytest.mark.timeout(400)
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
async def test_every_command_is_answered_and_nothing_is_done_twice(
    application: Application, delivery: str
) -> None:
    await feed(application)
    workers = [application.start_worker(**FAST, delivery=delivery) for _ in range(3)]

    async def all_have_a_model() -> bool:
        trained = Counter(event["type"] for event in await told(application))
        return trained["model.trained"] >= len(SYMBOLS) + 2

    await application.until(all_have_a_model)
    chance, sent = random.Random(5), {}
    servers, prefix = application.connection.bootstrap_servers, application.names.prefix
    producer = BatchProducer(application.connection, {"control": application.names.control})
    await producer.start(Deadline(20))
    async with ModelAdmin(servers, prefix=prefix) as one, ModelAdmin(servers, prefix=prefix) as other:
        for at in range(COMMANDS):
            id, command = drawn(chance, at)
            value = command if isinstance(command, bytes) else orjson.dumps(command)
            again = 1 + (chance.random() < 0.1)
            await producer.send([Record("control", None, value)] * again, Deadline(20))
            if id is not None:
                sent[id] = command
            if at == COMMANDS // 3:
                await asyncio.to_thread(workers[chance.randrange(3)].kill)
            if at == 2 * COMMANDS // 3:
                application.start_worker(**FAST, delivery=delivery)
            await asyncio.sleep(0.01)
        await producer.stop(Deadline(5))

        async def all_answered() -> bool:
            return sent.keys() <= first_replies(await told(application)).keys()

        await application.until(all_answered, WITHIN_SECONDS + 20)
        first = first_replies(await told(application))
        for id in chance.sample(sorted(sent), 100):
            seen = [await admin.reply_to(id, timeout=10) for admin in (one, other)]
            assert seen[0] == seen[1]
            assert seen[0].worker_id == first[id][0]["workerId"]
    late = {
        id: pages[-1]["at"] - sent[id]["issuedAt"]
        for id, pages in first.items()
        if "issuedAt" in sent[id] and pages[-1]["at"] - sent[id]["issuedAt"] > WITHIN_SECONDS * 1000
    }
    assert not late
    codes = {id: (pages[0]["error"] or {}).get("code") for id, pages in first.items()}
    assert not [id for id, code in codes.items() if code in ("COMMAND_EXPIRED", "STORE_UNAVAILABLE")], codes
    effects = Counter(
        (event["data"]["commandId"], event["type"], event["symbol"], event["interval"])
        for event in await told(application)
        if "appliedAt" in event and "commandId" in event["data"]
    )
    assert effects
    assert not {effect: times for effect, times in effects.items() if times > 1}
