import asyncio
import gzip
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from stream_lstm.errors import SettingsError, TopicMissing
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.topics import DAY_MS, TopicSpec
from stream_lstm.streaming.replay import Replay, replay
from tests.conftest import CreateTopic, Produce, ReadAll

HOUR = 3_600_000
START = 1_728_122_400_000


def no_warning(text: str) -> None:
    pytest.fail(f"warned: {text}")


def write(folder: Path, symbol: str, hours: range) -> Path:
    path = folder / f"{symbol}-1h.csv.gz"
    with gzip.open(path, "wt") as out:
        out.writelines(f"{START + HOUR * hour},10,12,9,{11 + hour / 100},5\n" for hour in hours)
    return path


async def test_files_come_out_merged_in_the_order_of_time(
    tmp_path: Path, connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic = await create_topic()
    wanted = Replay(files=[write(tmp_path, "A", range(3)), write(tmp_path, "B", range(1, 4))], exchange="okx")
    told: list[tuple[int, int | None]] = []
    sent = await replay(
        connection, topic, wanted, warn=no_warning, progress=lambda *counts: told.append(counts)
    )
    bodies = [orjson.loads(record.value) for record in await read_all(topic)]
    hours = [(body["symbol"], (body["openTime"] - START) // HOUR) for body in bodies]
    assert hours == [("A", 0), ("A", 1), ("B", 1), ("A", 2), ("B", 2), ("B", 3)]
    assert {body["exchange"] for body in bodies} == {"okx"}
    assert sent == 6
    assert told == [(6, 6)]


async def test_a_paced_replay_publishes_the_same_number(
    tmp_path: Path, connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic = await create_topic()
    wanted = Replay(files=[write(tmp_path, "A", range(40))], speed=400)
    assert await replay(connection, topic, wanted, warn=no_warning) == 40
    assert len(await read_all(topic)) == 40


async def test_a_synthetic_market_without_a_speed_ends_at_the_wall_clock(
    connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic = await create_topic()
    wanted = Replay(synthetic=3, interval="1d", start_ms=START)
    sent = await replay(connection, topic, wanted, warn=no_warning)
    counts = Counter(record.key for record in await read_all(topic))
    assert len(counts) == 3
    assert len(set(counts.values())) == 1
    assert sum(counts.values()) == sent


async def test_a_market_that_is_started_again_goes_on_where_it_was(
    connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic, whole = await create_topic(3), await create_topic(3)
    half = Replay(synthetic=4, interval="1d", start_ms=START)
    for part in (half, half):
        await replay(connection, topic, part, warn=no_warning)
    await replay(connection, whole, half, warn=no_warning)
    assert [r.value for r in await read_all(topic)] == [r.value for r in await read_all(whole)]


async def test_what_others_wrote_behind_a_market_does_not_begin_it_anew(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    market = Replay(synthetic=2, interval="1d", start_ms=START)
    assert await replay(connection, topic, market, warn=no_warning) > 0
    await produce(topic, [b"a dead letter, replayed"] * 3, transaction=True)
    assert await replay(connection, topic, market, warn=no_warning) == 0


async def test_an_interrupted_market_is_completed(
    connection: KafkaConnection, create_topic: CreateTopic, read_all: ReadAll
) -> None:
    topic, whole, under_way = await create_topic(), await create_topic(), asyncio.Event()
    wanted = Replay(synthetic=2, interval="1d", start_ms=START)
    first = asyncio.create_task(
        replay(
            connection,
            topic,
            replace(wanted, speed=100),
            warn=no_warning,
            progress=lambda sent, total: under_way.set(),
        )
    )
    await asyncio.wait_for(under_way.wait(), 20)
    first.cancel()
    await asyncio.wait({first})
    rest = await replay(connection, topic, wanted, warn=no_warning)
    await replay(connection, whole, wanted, warn=no_warning)
    values = [r.value for r in await read_all(topic)]
    assert values == [r.value for r in await read_all(whole)]
    assert 0 < rest < len(values)


async def test_real_candles_in_the_topic_do_not_hold_a_synthetic_market_up(
    tmp_path: Path, connection: KafkaConnection, create_topic: CreateTopic
) -> None:
    topic = await create_topic()
    await replay(connection, topic, Replay(files=[write(tmp_path, "A", range(3))]), warn=no_warning)
    earlier = Replay(synthetic=1, interval="1d", start_ms=START - 10 * DAY_MS)
    days_since = (time.time() * 1000 - START) / DAY_MS + 10
    assert await replay(connection, topic, earlier, warn=no_warning) == int(days_since)


async def test_a_retention_that_will_delete_it_is_warned_of_before_anything_is_written(
    tmp_path: Path, connection: KafkaConnection, read_all: ReadAll, prefix: str
) -> None:
    topic = f"{prefix}candles"
    spec = TopicSpec(name=topic, partitions=1, retention_ms=DAY_MS)
    await topic_admin.create(connection, [spec], Deadline(20))

    def stop(text: str) -> None:
        raise InterruptedError(text)

    with pytest.raises(InterruptedError, match=f"{topic} keeps records for 1 days"):
        await replay(connection, topic, Replay(files=[write(tmp_path, "A", range(3))]), warn=stop)
    assert not await read_all(topic)


async def test_a_topic_that_is_missing_is_named(tmp_path: Path, connection: KafkaConnection) -> None:
    with pytest.raises(TopicMissing, match="no topic 'nobody'"):
        await replay(connection, "nobody", Replay(files=[write(tmp_path, "A", range(3))]), warn=no_warning)


@pytest.mark.parametrize(
    "wrong", [{}, {"files": [Path("a.csv")], "synthetic": 1}, {"synthetic": 1, "speed": 0.0}]
)
def test_what_cannot_be_replayed_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"--synthetic|--speed"):
        Replay(**wrong)  # type: ignore[arg-type]
