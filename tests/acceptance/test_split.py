"""One series in two partitions: one has it, the other says so, nobody forecasts from half of it."""

import itertools
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.candles.encode import canonical
from stream_lstm.client import ModelAdmin
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.records import Record
from stream_lstm.registry.claims import Claims
from stream_lstm.registry.objects import Objects
from tests.acceptance.conftest import Application

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HOUR = 3_600_000
HORIZONS = 4


def candles(count: int) -> list[Any]:
    market = moments.of_market(["BTCUSDT"], interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=2)
    return [moment[0] for moment in itertools.islice(market, count)]


async def send(application: Application, rows: list[Any], key: bytes) -> None:
    producer = BatchProducer(application.connection, {"candles": application.candles})
    await producer.start(Deadline(20))
    made = [Record("candles", key, canonical(row), (), row.close_ms) for row in rows]
    await producer.send(made, Deadline(60))
    await producer.stop(Deadline(5))


async def events(application: Application, kind: str) -> list[dict[str, Any]]:
    told = [orjson.loads(record.value) for record in await application.read("model-events")]
    return [event for event in told if event["type"] == kind]


@pytest.mark.timeout(180)
async def test_the_first_partition_keeps_the_series(application: Application, tmp_path: Path) -> None:
    rows = candles(180)
    await send(application, rows[:120], b"one")
    application.start_worker()
    said = 21 * HORIZONS

    async def it_speaks() -> bool:
        return await application.count("predictions") >= said

    await application.until(it_speaks)
    await send(application, rows[60:120], b"two")  # of another partition, by its key

    async def it_is_refused() -> bool:
        return bool(await events(application, "series.split"))

    await application.until(it_is_refused)
    await send(application, rows[120:], b"one")

    async def it_goes_on() -> bool:
        return await application.count("predictions") >= said + 60 * HORIZONS

    await application.until(it_goes_on)
    assert await application.count("predictions") == said + 60 * HORIZONS
    (split,) = await events(application, "series.split")
    claims = Claims(Objects((tmp_path / "store").as_uri()), application.settings["kafka.group"])
    owner = claims.owner("synthetic:BTCUSDT:1h")
    assert (split["data"]["ownerTopic"], split["data"]["ownerPartition"]) == owner
    assert split["data"]["partition"] != owner[1]
    assert "belongs to" in application.log_of(0)

    async with ModelAdmin(application.connection.bootstrap_servers, prefix=application.names.prefix) as admin:
        assert not (await admin.resume("BTCUSDT", take_over=True)).paused
        moved = (owner[0], split["data"]["partition"])
        assert claims.owner("synthetic:BTCUSDT:1h") == moved
        before = await application.count("predictions")
        await send(application, candles(300)[180:], b"two")

        async def it_speaks_again() -> bool:
            return await application.count("predictions") >= before + 21 * HORIZONS

        await application.until(it_speaks_again)
        told = await admin.describe("BTCUSDT")
        assert (told.topic, told.partition) == moved
