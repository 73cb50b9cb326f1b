"""Which checkpoint a partition goes on from, on a real log."""

import zlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream_lstm.checkpoints.codec import Checkpoint, Origin
from stream_lstm.checkpoints.store import CheckpointStore
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.registry.objects import Objects
from stream_lstm.streaming.saved_state import Found, SavedStates
from tests.forecasting.fed_engine import candles, engine, feed

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]

VALUES = [f"record {number}".encode() for number in range(20)]
pytestmark = pytest.mark.kafka


@pytest.fixture
async def topic(create_topic: CreateTopic, produce: Produce) -> str:
    name = await create_topic()
    await produce(name, VALUES)
    return name


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(Objects(tmp_path.as_uri()), "group", keep=9)


def checkpoint(topic: str, offset: int, **changes: Any) -> Checkpoint:
    made = engine()
    feed(made, candles(count=3), partition=(topic, 0))
    origin = Origin(
        topic=topic,
        partition=0,
        offset=offset,
        partitions=1,
        last_offset=offset - 1,
        last_crc=zlib.crc32(VALUES[offset - 1]) if 0 < offset <= 20 else 0,
        fingerprint="now",
    )
    return Checkpoint(origin=replace(origin, **changes), state=made.export((topic, 0)), closing={})


async def found(
    connection: KafkaConnection, store: CheckpointStore | None, topic: str, committed: int
) -> Found:
    async with LogReader(connection, Deadline(30)) as reader:
        return await SavedStates(store, "now").find(reader, (topic, 0), committed)


def files(folder: Path) -> list[Path]:
    return list(folder.rglob("tail-*"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def offset_of(found: Found) -> int | None:
    return None if found.checkpoint is None else found.checkpoint.origin.offset


async def test_the_newest_that_is_not_beyond_the_committed_offset(
    connection: KafkaConnection, store: CheckpointStore, topic: str
) -> None:
    for offset in (5, 10, 15):
        store.save(checkpoint(topic, offset))
    assert offset_of(await found(connection, store, topic, 15)) == 15
    assert offset_of(await found(connection, store, topic, 14)) == 10
    assert offset_of(await found(connection, store, topic, 4)) is None
    assert await found(connection, None, topic, 15) == Found()


async def test_one_of_other_settings_or_damaged_is_passed_over_and_named(
    connection: KafkaConnection, store: CheckpointStore, topic: str, tmp_path: Path
) -> None:
    for offset in (5, 10):
        store.save(checkpoint(topic, offset))
    store.save(checkpoint(topic, 15, fingerprint="then"))
    cut(next(path for path in files(tmp_path) if "00010" in path.name))
    told = await found(connection, store, topic, 20)
    assert offset_of(told) == 5
    other, damaged = told.unusable
    assert "checkpoint at 15: it was made with other settings" in other
    assert "checkpoint at 10: its bytes are not what was saved" in damaged
    assert not told.another_log


async def test_a_topic_that_was_made_again_is_told_by_its_last_record(
    connection: KafkaConnection, store: CheckpointStore, topic: str
) -> None:
    store.save(checkpoint(topic, 10, last_crc=1))
    told = await found(connection, store, topic, 12)
    assert told.checkpoint is None
    assert told.another_log
    assert "the topic was made again" in told.unusable[0]


async def test_the_last_record_is_found_among_transaction_markers(
    connection: KafkaConnection, store: CheckpointStore, create_topic: CreateTopic, produce: Produce
) -> None:
    name = await create_topic()
    for value in VALUES[:3]:
        await produce(name, [value], transaction=True)  # records at 0, 2 and 4, each with a marker behind it
    store.save(checkpoint(name, 3, last_offset=2, last_crc=zlib.crc32(VALUES[1])))
    assert offset_of(await found(connection, store, name, 5)) == 3


@pytest.mark.parametrize("aborted", [False, True])
async def test_a_last_record_that_nobody_can_read_is_not_the_one_of_the_checkpoint(
    connection: KafkaConnection,
    store: CheckpointStore,
    create_topic: CreateTopic,
    produce: Produce,
    aborted: bool,
) -> None:
    name = await create_topic()
    await produce(name, VALUES[:4], abort=aborted, transaction=not aborted)
    await produce(name, VALUES[5:10])
    at = 3 if aborted else 4  # what was aborted, or the marker
    store.save(checkpoint(name, at + 1, last_offset=at, last_crc=zlib.crc32(VALUES[at])))
    told = await found(connection, store, name, 8)
    assert told.checkpoint is None
    assert f"there is no record at {at} any more" in told.unusable[0]
    assert not told.another_log


async def test_a_log_that_begins_later_cannot_be_gone_on_with(
    connection: KafkaConnection,
    store: CheckpointStore,
    topic: str,
    admin: AIOKafkaAdminClient,
) -> None:
    for offset in (5, 10, 15):
        store.save(checkpoint(topic, offset))
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=10)})
    assert offset_of(await found(connection, store, topic, 12)) == 10
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=11)})
    told = await found(connection, store, topic, 12)
    assert told.checkpoint is None
    assert "the log begins at 11" in told.unusable[0]


async def test_an_offset_outside_the_log_has_no_checkpoint(
    connection: KafkaConnection, store: CheckpointStore, topic: str
) -> None:
    store.save(checkpoint(topic, 15))
    assert await found(connection, store, topic, 99) == Found()


async def test_one_that_was_refused_is_not_found_again(
    connection: KafkaConnection, store: CheckpointStore, topic: str
) -> None:
    for offset in (10, 15):
        store.save(checkpoint(topic, offset))
    saved = SavedStates(store, "now")
    saved.refuse((topic, 0), 15)
    async with LogReader(connection, Deadline(30)) as reader:
        assert offset_of(await saved.find(reader, (topic, 0), 20)) == 10
