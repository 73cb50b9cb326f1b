from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest
from aiokafka import ConsumerRecord

from stream_lstm.errors import BrokerError, PartitionLost
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.records import Record
from stream_lstm.streaming.publisher import AtLeastOnce

pytestmark = pytest.mark.kafka

ReadAll = Callable[[str], Awaitable[list[ConsumerRecord]]]
A, B = ("candles", 0), ("candles", 1)


@dataclass
class Committed:
    """The group's offsets, with what was in the log at every commit."""

    read: Callable[[], Awaitable[list[bytes]]]
    commits: list[dict[tuple[str, int], int]] = field(default_factory=list)
    in_log: list[list[bytes]] = field(default_factory=list)
    broken: bool = False

    async def committed(self, partition: tuple[str, int], deadline: Deadline) -> int | None:
        offsets = [commit[partition] for commit in self.commits if partition in commit]
        return offsets[-1] if offsets else None

    async def commit(self, offsets: Mapping[tuple[str, int], int], deadline: Deadline) -> None:
        if self.broken:
            raise BrokerError("no coordinator")
        self.in_log.append(await self.read())
        self.commits.append(dict(offsets))


@dataclass
class Scene:
    publisher: AtLeastOnce
    offsets: Committed
    clock: list[float]
    read: Callable[[], Awaitable[list[bytes]]]


@pytest.fixture
async def scene(
    connection: KafkaConnection, create_topic: Callable[..., Awaitable[str]], read_all: ReadAll
) -> AsyncIterator[Scene]:
    topic, clock = await create_topic(1), [0.0]

    async def read() -> list[bytes]:
        return [record.value for record in await read_all(topic)]

    offsets = Committed(read)
    topics = {"scores": topic, "lost": "missing"}
    publisher = AtLeastOnce(connection, offsets, topics, timeout_s=10, clock=lambda: clock[0])
    await publisher.start(Deadline(20))
    yield Scene(publisher, offsets, clock, read)
    await publisher.stop(Deadline(5))


def said(*values: bytes) -> list[Record]:
    return [Record("scores", b"k", value) for value in values]


async def test_outputs_are_in_the_log_before_their_offset_is_committed(scene: Scene) -> None:
    await scene.publisher.publish(A, said(b"1", b"2"), 10)
    assert scene.offsets.commits == [{A: 10}]
    assert scene.offsets.in_log == [[b"1", b"2"]]


async def test_one_turn_of_many_partitions_is_one_commit(scene: Scene) -> None:
    await scene.publisher.publish_all({A: (said(b"a"), 10), B: ([], 20)})
    assert scene.offsets.commits == [{A: 10, B: 20}]


async def test_an_offset_without_outputs_waits_for_the_commit_interval(scene: Scene) -> None:
    await scene.publisher.publish(A, [], 10)
    scene.clock[0] = 4.9
    await scene.publisher.publish(A, [], 11)
    assert scene.offsets.commits == []
    scene.clock[0] = 5.0
    await scene.publisher.publish_all({})
    assert scene.offsets.commits == [{A: 11}]


async def test_an_offset_that_waits_rides_with_the_outputs_of_another(scene: Scene) -> None:
    await scene.publisher.publish(A, [], 10)
    await scene.publisher.publish(B, said(b"b"), 20)
    assert scene.offsets.commits == [{A: 10, B: 20}]


async def test_consecutive_turns_keep_their_order(scene: Scene) -> None:
    for turn in range(8):
        await scene.publisher.publish(A, said(b"%d" % turn), turn)
    assert await scene.read() == [b"%d" % turn for turn in range(8)]


async def test_a_partition_whose_outputs_did_not_get_out_is_lost_and_never_committed(scene: Scene) -> None:
    scene.publisher.timeout_s = 0.5
    await scene.publisher.publish_all({A: ([], 10), B: ([], 20)})
    with pytest.raises(PartitionLost, match="candles-0: 1 records for missing"):
        await scene.publisher.publish(A, [Record("lost", b"k", b"x")], 11)
    scene.publisher.timeout_s = 10
    scene.clock[0] = 60.0
    await scene.publisher.publish_all({})
    assert scene.offsets.commits == [{B: 20}]


async def test_a_commit_that_fails_loses_the_partitions_of_the_call(scene: Scene) -> None:
    scene.offsets.broken = True
    with pytest.raises(PartitionLost, match="candles-0: no coordinator"):
        await scene.publisher.publish(A, said(b"1"), 10)
    scene.offsets.broken = False
    scene.clock[0] = 60.0
    await scene.publisher.publish_all({})
    assert scene.offsets.commits == []


async def test_closing_commits_what_waits_of_the_partition_and_of_no_other(scene: Scene) -> None:
    await scene.publisher.publish_all({A: ([], 10), B: ([], 20)})
    await scene.publisher.close([A])
    assert scene.offsets.commits == [{A: 10}]
    await scene.publisher.publish(B, said(b"b"), 21)
    assert scene.offsets.commits == [{A: 10}, {B: 21}]


async def test_opening_tells_the_committed_offset_and_forgets_what_waited(scene: Scene) -> None:
    assert await scene.publisher.open(A) is None
    await scene.publisher.publish(A, said(b"a"), 10)
    await scene.publisher.publish(A, [], 12)
    assert await scene.publisher.open(A) == 10
    scene.clock[0] = 60.0
    await scene.publisher.publish_all({})
    assert scene.offsets.commits == [{A: 10}]


async def test_what_rests_on_no_offset_is_out_by_the_time_of_the_stop(scene: Scene) -> None:
    scene.publisher.publish_soon(said(b"1", b"2"))
    scene.publisher.publish_soon(said(b"3"))
    assert scene.publisher.loose == 3
    await scene.publisher.stop(Deadline(10))
    assert scene.publisher.loose == 0
    assert await scene.read() == [b"1", b"2", b"3"]
    assert scene.offsets.commits == []


async def test_of_what_rests_on_no_offset_the_newest_is_kept(
    connection: KafkaConnection, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.publisher.publish_soon(said(*(b"%d" % number for number in range(10_002))))
    assert scene.publisher.loose == 10_000
    await scene.publisher.stop(Deadline(10))
    assert (await scene.read())[0] == b"2"
    assert "2 events of this worker are dropped" in caplog.text
