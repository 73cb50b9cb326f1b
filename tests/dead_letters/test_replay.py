"""Dead letters back into their input: the selected ones, each once, whoever dies in between."""

import asyncio
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream_lstm.dead_letters import replay as dead_letter_replay
from stream_lstm.dead_letters.letter import DeadLetters
from stream_lstm.dead_letters.log import DeadLetterLog, Letter
from stream_lstm.dead_letters.plan import batches, survey
from stream_lstm.dead_letters.replay import LetterWriter, plan, replay, returned
from stream_lstm.errors import BrokerError, TopicMissing
from stream_lstm.kafka.batch_producer import BatchProducer, Transactions
from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.kafka.records import Record
from tests.dead_letters.letter_scene import MINUTE, T0, LetterScene

pytestmark = pytest.mark.kafka


@pytest.fixture
async def scene(connection: KafkaConnection, prefix: str) -> LetterScene:
    scene = LetterScene(connection, prefix)
    await scene.create()
    return scene


def values(count: int, name: str = "v") -> list[bytes]:
    return [b"%s%d" % (name.encode(), at) for at in range(count)]


async def test_a_record_comes_back_as_it_was_and_says_which_letter_it_is(scene: LetterScene) -> None:
    kept = [("content-type", b"text/csv"), ("traceparent", b"00-1-1-01")]
    (original,) = await scene.refused([b"\x00\xff{"], partition=1, headers=kept)
    plan = await scene.replay()
    (record,) = await scene.replayed()
    assert (record.key, record.value, record.timestamp) == (b"BTC", b"\x00\xff{", T0)
    assert (record.partition, original.partition) == (1, 1)
    assert list(record.headers) == [
        *kept,
        ("stream-lstm.replay-of", f"{scene.dlq}/0/0".encode()),
        ("stream-lstm.replays", b"1"),
    ]
    assert plan.told() == {
        "topic": scene.dlq,
        "records": 1,
        "letters": 1,
        "into": {scene.candles: 1},
        "reasons": {"not_json": 1},
        "first": T0,
        "last": T0,
        "left": {},
    }


async def test_a_second_replay_writes_nothing(scene: LetterScene) -> None:
    await scene.refused(values(3))
    assert len((await scene.replay()).cases) == 3
    again = await scene.replay()
    assert again.cases == []
    assert {why: left.records for why, left in again.left.items()} == {"replayed already": 3}
    assert [record.value for record in await scene.replayed()] == values(3)


async def test_what_is_selected_is_replayed_and_the_rest_another_time(scene: LetterScene) -> None:
    await scene.refused(values(4, "json"))
    await scene.refused(values(2, "shape"), "unknown_shape", partition=1)
    selected = {"since_ms": T0 + MINUTE, "until_ms": T0 + 3 * MINUTE}
    await scene.replay(reasons=frozenset({"not_json"}), **selected)
    assert [one.value for one in await scene.replayed()] == [b"json1", b"json2"]
    await scene.replay(partition=1, offsets=(1, 5))
    assert [one.value for one in await scene.replayed()] == [b"json1", b"json2", b"shape1"]
    await scene.replay(topic="another")
    assert len(await scene.replayed()) == 3
    await scene.replay()
    counts = Counter(one.value for one in await scene.replayed())
    assert counts == Counter([*values(4, "json"), *values(2, "shape")])


async def test_a_plan_writes_nothing(scene: LetterScene) -> None:
    await scene.refused(values(3))
    assert len((await scene.plan()).cases) == 3
    assert await scene.replayed() == []
    assert len(await scene.read(scene.dlq)) == 3


async def test_what_came_after_the_plan_is_not_written(scene: LetterScene) -> None:
    await scene.refused(values(2))
    ends = (await scene.plan()).ends
    await scene.refused(values(2, "later"))
    await replay(scene.connection, scene.dlq, replace(scene.wanted(), ends=ends))
    assert [one.value for one in await scene.replayed()] == values(2)


async def test_a_record_with_several_letters_comes_back_once(scene: LetterScene) -> None:
    """A letter for each bad row, and all of them again by a worker that died before it committed."""
    received = await scene.refused(values(2))
    await scene.refuse(received[1:], "not_positive")
    await scene.refuse(received)
    plan = await scene.replay()
    assert [one.value for one in await scene.replayed()] == values(2)
    assert plan.told()["letters"] == 5
    await scene.refuse(received)
    assert (await scene.replay()).cases == []


async def test_a_topic_that_was_made_again_has_other_records_at_the_same_offsets(scene: LetterScene) -> None:
    (received,) = await scene.refused([b"old"])
    await scene.replay()
    await scene.refuse([replace(received, value=b"new")])
    await scene.replay()
    assert [one.value for one in await scene.replayed()] == [b"old", b"new"]


async def test_what_is_bad_again_is_left_out_unless_told_again(scene: LetterScene) -> None:
    await scene.refused([b"bad"])
    await scene.replay()
    await scene.refuse(await scene.replayed())
    plan = await scene.replay()
    assert plan.cases == []
    assert set(plan.left) == {"replayed already", "replayed once and bad again"}
    assert len((await scene.replay(again=True)).cases) == 1
    assert [dict(one.headers)["stream-lstm.replays"] for one in await scene.replayed()] == [b"1", b"2"]
    assert (await scene.replay(again=True)).cases == []


async def begun(scene: LetterScene, upto: int) -> LetterWriter:
    """A replay that has sent the first records and their markers, and dies before it commits."""
    writer = LetterWriter(scene.connection, scene.dlq)
    await writer.__aenter__()
    async with DeadLetterLog(scene.connection, scene.dlq) as log:
        found = await survey(log, await log.written(), scene.wanted(), lambda done, total: None)
        await writer._producer.begin_transaction()
        await writer.fill(await returned(log, found.cases[:upto]))
    return writer


async def test_a_replay_that_died_in_the_middle_is_finished_by_the_next_one(scene: LetterScene) -> None:
    await scene.refused(values(5))
    died = await begun(scene, upto=3)
    assert len((await scene.replay()).cases) == 5
    await died.__aexit__(None, None, None)
    assert [one.value for one in await scene.replayed()] == values(5)
    assert (await scene.replay()).cases == []


async def test_a_replay_that_another_one_has_overtaken_writes_nothing_more(scene: LetterScene) -> None:
    await scene.refused(values(5))
    async with LetterWriter(scene.connection, scene.dlq) as slow:
        async with DeadLetterLog(scene.connection, scene.dlq) as log:
            seen = await survey(log, await log.written(), scene.wanted(), lambda done, total: None)
            records = await returned(log, seen.cases)
        await scene.replay()
        with pytest.raises(
            BrokerError, match=r"after 0 records.*another `dlq replay` of .* has begun and goes on"
        ):
            await slow.write(records)
    assert [one.value for one in await scene.replayed()] == values(5)


async def test_a_replay_waits_for_what_a_worker_has_open_in_the_log(scene: LetterScene) -> None:
    await scene.refused(values(2))
    worker = BatchProducer(scene.connection, {"dlq": scene.dlq}, Transactions(f"{scene.prefix}g/t/0", 30.0))
    await worker.start(Deadline(20))
    assert worker._producer is not None
    await worker._producer.begin_transaction()
    await worker._deliver(await worker._fill([Record("dlq", b"k", b"open")]))
    replaying = asyncio.create_task(scene.replay())
    await asyncio.sleep(1.0)
    assert not replaying.done(), "a marker behind the open transaction would be missed"
    await worker._producer.commit_transaction()
    assert len((await replaying).cases) == 2
    await worker.stop(Deadline(5))


async def test_a_cut_off_letter_is_replayed_from_its_original(scene: LetterScene) -> None:
    scene.letters = DeadLetters("stream-lstm", "w1", max_bytes=1_000)
    large = b"x" * 950_000
    await scene.refused([b"small", large])
    assert len((await scene.read(scene.dlq))[1].value or b"") == 65_536
    assert len((await scene.replay()).cases) == 2
    assert [one.value for one in await scene.replayed()] == [b"small", large]


async def test_a_cut_off_letter_whose_original_is_gone_is_reported(scene: LetterScene) -> None:
    scene.letters = DeadLetters("stream-lstm", "w1", max_bytes=1_000)
    received = await scene.refused([b"a" * 2_000, b"b" * 2_000])
    await scene.refuse([replace(received[0], offset=7, value=b"c" * 3_000)])  # beyond the end
    await scene.refuse([replace(received[1], value=b"d" * 3_000)])  # another record has its place
    plan = await scene.replay()
    assert [one.value for one in await scene.replayed()] == [b"a" * 2_000, b"b" * 2_000]
    gone = plan.left["cut off, original gone"]
    assert (gone.records, gone.examples) == (2, [f"{scene.candles}-0@7", f"{scene.candles}-0@1"])


async def test_a_letter_cannot_make_us_write_into_what_is_no_input(scene: LetterScene) -> None:
    (received,) = await scene.refused([b"x"])
    await scene.refuse([replace(received, topic=scene.dlq), replace(received, partition=9)])
    plan = await scene.replay()
    assert {why: left.examples for why, left in plan.left.items()} == {
        "not of an input": [f"{scene.dlq}-0@0"],
        "topic or partition gone": [f"{scene.candles}-9@0"],
    }


async def test_the_records_of_a_partition_come_in_their_order_from_a_log_of_several(
    connection: KafkaConnection, prefix: str
) -> None:
    scene = LetterScene(connection, prefix)
    await scene.create(inputs=1, dlq=3)
    for at in range(9):
        await scene.refused([b"v%d" % at], dlq_partition=at % 3)
    await scene.replay()
    assert [one.value for one in await scene.replayed()] == values(9)


async def test_many_letters_go_in_several_transactions(scene: LetterScene) -> None:
    received = await scene.refused([b"v0"])
    many = [replace(received[0], offset=at, value=b"v%d" % at) for at in range(1_203)]
    for some in (many[1:600], many[600:]):
        await scene.refuse(some)
    found = await scene.plan()
    assert [len(batch) for batch in batches(found.cases)] == [500, 500, 203]
    told: list[tuple[int, int]] = []
    await replay(scene.connection, scene.dlq, scene.wanted(), lambda done, total: told.append((done, total)))
    assert [one.value for one in await scene.replayed()] == values(1_203)
    assert told[-3:] == [(500, 1_203), (1_000, 1_203), (1_203, 1_203)]


class Interrupted(LetterWriter):
    """Ctrl-C comes in the middle of a transaction."""

    async def _send_marker(self, letter: Letter) -> asyncio.Future[Any]:
        if letter.origin.offset == 700:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        return await super()._send_marker(letter)


async def test_a_replay_that_is_cancelled_leaves_no_transaction_open(
    scene: LetterScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    (received,) = await scene.refused([b"v0"])
    await scene.refuse([replace(received, offset=at, value=b"v%d" % at) for at in range(1, 1_203)])
    with monkeypatch.context() as patched:
        patched.setattr(dead_letter_replay, "LetterWriter", Interrupted)
        replaying = asyncio.create_task(scene.replay())
        await asyncio.wait({replaying})
    assert replaying.cancelled()
    async with LogReader(scene.connection, Deadline(20)) as reader:
        places = [(scene.candles, 0), (scene.dlq, 0)]
        assert await reader.spans(places) == await reader.written(places), "readers have to wait"
    assert [one.value for one in await scene.replayed()] == values(500)
    assert len((await scene.replay()).cases) == 703
    assert [one.value for one in await scene.replayed()] == values(1_203)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_broker_that_goes_away_ends_it_in_time_and_the_next_one_finishes(
    private_kafka: EmbeddedKafka, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = LetterScene(KafkaConnection(private_kafka.bootstrap_servers), prefix)
    await scene.create()
    (received,) = await scene.refused([b"v0"])
    await scene.refuse([replace(received, offset=at, value=b"v%d" % at) for at in range(1, 600)])

    class Unlucky(LetterWriter):
        async def _send_marker(self, letter: Letter) -> asyncio.Future[Any]:
            if letter.origin.offset == 550:
                await asyncio.to_thread(private_kafka.kill)
            return await super()._send_marker(letter)

    monkeypatch.setattr(dead_letter_replay, "LetterWriter", Unlucky)
    async with asyncio.timeout(60):
        with pytest.raises(BrokerError, match=r"after 500 records.*Call it again"):
            await scene.replay()
    monkeypatch.undo()
    await asyncio.to_thread(private_kafka.restart)
    try:
        await scene.replay()
    except BrokerError:  # seldom, nothing can be read for a minute after a broker has been killed
        await scene.replay()
    assert [one.value for one in await scene.replayed()] == values(600)


@pytest.mark.slow
async def test_replays_killed_again_and_again_write_each_record_once(
    scene: LetterScene, tmp_path: Path
) -> None:
    (received,) = await scene.refused([b"v0"])
    await scene.refuse([replace(received, offset=at, value=b"v%d" % at) for at in range(1, 8_000)])
    given = {"kafka.bootstrap_servers": scene.connection.bootstrap_servers, "topics.prefix": scene.prefix}
    given["inputs"] = f'[{{"topic": "{scene.candles}"}}]'
    options = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "stream_lstm", "dlq", "replay", "--yes", *options]
    for kill in range(3):
        process, before = BoundProcess(command, tmp_path / f"{kill}.log"), len(await scene.replayed())
        while len(await scene.replayed()) == before and process.exit_code is None:
            pass
        await asyncio.to_thread(process.kill)
    left = 8_000 - len(await scene.replayed())
    assert len((await scene.replay()).cases) >= left > 0
    assert [one.value for one in await scene.replayed()] == values(8_000)


async def test_what_kafka_refuses_is_named_and_nothing_of_its_transaction_stays(
    connection: KafkaConnection, prefix: str, admin: AIOKafkaAdminClient
) -> None:
    scene = LetterScene(connection, prefix)
    small = {"max.message.bytes": "1000", "retention.ms": "-1"}
    await admin.create_topics([NewTopic(scene.candles, 1, 1, topic_configs=small)])
    await scene.create()
    received = await scene.refused(values(2))
    await scene.refuse([replace(received[0], offset=9, value=random.Random(1).randbytes(5_000))])
    with pytest.raises(
        BrokerError, match=r"refuses 3 records, .*-0@0 to .*-0@9: MessageSizeTooLarge.*--offset"
    ):
        await scene.replay()
    assert await scene.replayed() == []
    assert len((await scene.replay(offsets=(0, 8))).cases) == 2
    assert [one.value for one in await scene.replayed()] == values(2)


async def test_a_missing_topic_is_named_with_the_way_out(connection: KafkaConnection, prefix: str) -> None:
    scene = LetterScene(connection, prefix)
    with pytest.raises(TopicMissing, match=r"candles\.dlq'.*topics\.prefix.*topics create"):
        await plan(connection, scene.dlq, scene.wanted())
