import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream_lstm.errors import PartitionLost
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.group import GroupConsumer
from stream_lstm.kafka.membership import GroupConfig
from stream_lstm.kafka.rebalance import Assigned, Change, OutOfRange, Revoked

pytestmark = pytest.mark.kafka

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]
Join = Callable[..., Awaitable[GroupConsumer]]


@pytest.fixture
async def join(connection: KafkaConnection) -> AsyncIterator[Join]:
    """Start a member of the group that reads a topic."""
    async with AsyncExitStack() as members:

        async def start(topic: str, rebalance_timeout_s: float = 20.0) -> GroupConsumer:
            config = GroupConfig(
                group_id=f"g-{topic}",
                pattern=f"^(?:{topic})$",
                heartbeat_s=0.1,
                rebalance_timeout_s=rebalance_timeout_s,
            )
            group = GroupConsumer(connection, config)
            await group.start(Deadline(20))
            members.push_async_callback(group.stop, Deadline(60))
            return group

        yield start


async def next_change(group: GroupConsumer) -> Change:
    """The next change, polling like the worker; nothing may be handed out before."""
    async with asyncio.timeout(15):
        while True:
            changes = group.changes()
            if changes:
                assert len(changes) == 1
                return changes[0]
            assert await group.poll(100, 0.5) == {}


async def assigned(group: GroupConsumer) -> list[TopicPartition]:
    change = await next_change(group)
    assert isinstance(change, Assigned)
    return sorted(change.partitions)


async def offsets(group: GroupConsumer, count: int, max_records: int = 100) -> list[int]:
    """The offsets of the next records."""
    found: list[int] = []
    async with asyncio.timeout(15):
        while len(found) < count:
            for records in (await group.poll(max_records, 0.5)).values():
                found += [record.offset for record in records]
    return found


async def test_no_record_is_handed_out_before_the_partition_is_opened(
    join: Join, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await produce(topic, [b"%d" % number for number in range(10)])
    group = await join(topic)
    (place,) = await assigned(group)
    assert await group.poll(100, 0.5) == {}
    group.seek_and_resume(place, 4)
    assert await offsets(group, 6) == [4, 5, 6, 7, 8, 9]
    assert group.positions == {place: 10}


async def test_a_poll_returns_no_more_than_it_was_asked_for(
    join: Join, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await produce(topic, [b"x"] * 10)
    group = await join(topic)
    group.seek_and_resume((await assigned(group))[0], 0)
    assert await offsets(group, 3, max_records=3) == [0, 1, 2]
    assert await offsets(group, 7, max_records=3) == [3, 4, 5, 6, 7, 8, 9]


async def test_going_back_hands_out_again_and_shutting_stops(
    join: Join, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await produce(topic, [b"x"] * 6)
    group = await join(topic)
    (place,) = await assigned(group)
    group.seek_and_resume(place, 0)
    assert await offsets(group, 2, max_records=2) == [0, 1]
    group.shut(place)
    assert await group.poll(100, 0.3) == {}
    group.resume(place)
    assert await group.poll(100, 0.3) == {}
    group.seek_and_resume(place, 1)
    assert await offsets(group, 5) == [1, 2, 3, 4, 5]


async def test_a_paused_partition_goes_on_where_it_was(
    join: Join, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await produce(topic, [b"x"] * 6)
    group = await join(topic)
    (place,) = await assigned(group)
    group.seek_and_resume(place, 0)
    assert await offsets(group, 2, max_records=2) == [0, 1]
    group.pause(place)
    assert await group.poll(100, 0.3) == {}
    group.resume(place)
    assert await offsets(group, 4) == [2, 3, 4, 5]


async def test_a_wake_ends_a_poll(join: Join, create_topic: CreateTopic) -> None:
    group = await join(await create_topic())
    await assigned(group)
    poll = asyncio.create_task(group.poll(1, 60))
    await asyncio.sleep(0.1)
    group.wake()
    assert await asyncio.wait_for(poll, 5) == {}


async def test_offsets_are_committed_and_read_back(join: Join, create_topic: CreateTopic) -> None:
    group = await join(await create_topic())
    (place,) = await assigned(group)
    assert await group.committed(place, Deadline(10)) is None
    await group.commit({place: 7}, Deadline(10))
    assert await group.committed(place, Deadline(10)) == 7


async def test_a_second_member_takes_its_share_after_the_first_has_let_go(
    join: Join, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic(2)
    for partition in range(2):
        await produce(topic, [b"x"] * 5, partition=partition)
    first = await join(topic)
    places = await assigned(first)
    for place in places:
        first.seek_and_resume(place, 0)
    await offsets(first, 10)
    second = await join(topic)
    revoked = await next_change(first)
    assert isinstance(revoked, Revoked)
    assert sorted(revoked.partitions) == places
    await first.commit(dict.fromkeys(places, 5), Deadline(10))
    assert second.changes() == []
    revoked.acknowledge()
    owned = await asyncio.gather(assigned(first), assigned(second))
    assert sorted(owned[0] + owned[1]) == places
    assert len(owned[0]) == 1
    (moved,) = owned[1]
    assert await second.committed(moved, Deadline(10)) == 5
    second.seek_and_resume(moved, 5)
    await produce(topic, [b"y"], partition=moved.partition)
    assert await offsets(second, 1) == [5]
    first.seek_and_resume(moved, 0)
    assert await first.poll(100, 0.3) == {}


async def test_nothing_is_committed_for_a_partition_that_was_given_up(
    join: Join, create_topic: CreateTopic
) -> None:
    topic = await create_topic(2)
    first = await join(topic)
    await assigned(first)
    second = await join(topic)
    revoked = await next_change(first)
    assert isinstance(revoked, Revoked)
    revoked.acknowledge()
    (moved,) = (await asyncio.gather(assigned(first), assigned(second)))[1]
    with pytest.raises(PartitionLost, match=f"{topic}-{moved.partition}: not ours any more"):
        await first.commit({moved: 3}, Deadline(10))
    assert await second.committed(moved, Deadline(10)) is None


async def test_a_worker_that_does_not_let_go_in_time_loses_its_partitions(
    join: Join, create_topic: CreateTopic
) -> None:
    topic = await create_topic(2)
    first = await join(topic, rebalance_timeout_s=2.0)
    places = await assigned(first)
    second = await join(topic, rebalance_timeout_s=2.0)
    (moved,) = await assigned(second)
    assert moved in places
    with pytest.raises(PartitionLost):
        await first.commit({moved: 3}, Deadline(10))
    async with asyncio.timeout(10):
        while not first.owned:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.02)
    (kept,) = first.owned
    with pytest.raises(PartitionLost):  # somebody else may have had it in between
        await first.commit({kept: 3}, Deadline(10))
    assert [type(change) for change in first.changes()] == [Revoked, Assigned]
    await first.commit({kept: 3}, Deadline(10))


async def test_a_broker_is_heard_without_a_partition_to_read(join: Join, create_topic: CreateTopic) -> None:
    group = await join(await create_topic())
    await assigned(group)
    assert group.last_answer_ms() is None
    assert await group.answers()


async def test_an_offset_outside_the_log_is_said_and_shuts_the_partition(
    join: Join, create_topic: CreateTopic, produce: Produce, admin: AIOKafkaAdminClient
) -> None:
    topic = await create_topic()
    await produce(topic, [b"x"] * 10)
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=6)})
    group = await join(topic)
    (place,) = await assigned(group)
    group.seek_and_resume(place, 3)
    assert await next_change(group) == OutOfRange(place, 3)
    assert group.positions == {}
    group.seek_and_resume(place, 6)
    assert await offsets(group, 4) == [6, 7, 8, 9]


async def test_a_partition_that_is_read_to_a_transaction_marker_has_no_lag(
    join: Join, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await produce(topic, [b"x"] * 5, transaction=True)
    group = await join(topic)
    (place,) = await assigned(group)
    group.seek_and_resume(place, 2)
    assert await offsets(group, 3) == [2, 3, 4]
    assert group.positions == {place: 5}
    assert await group.lags() == {place: 0}
    assert group.last_answer_ms() is not None


async def test_records_behind_an_open_transaction_are_no_lag(
    join: Join, create_topic: CreateTopic, produce: Produce, kafka: str
) -> None:
    topic = await create_topic()
    await produce(topic, [b"x"] * 3)
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topic}.open") as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"open", partition=0)
        await produce(topic, [b"behind"])
        group = await join(topic)
        (place,) = await assigned(group)
        group.seek_and_resume(place, 0)
        assert await offsets(group, 3) == [0, 1, 2]
        assert await group.lags() == {place: 0}, "nobody may read them yet, so nobody owes them"
        await producer.commit_transaction()
        assert await offsets(group, 2) == [3, 4]


async def test_what_is_not_read_yet_is_lag(join: Join, create_topic: CreateTopic, produce: Produce) -> None:
    topic = await create_topic()
    await produce(topic, [b"x"] * 5)
    group = await join(topic)
    (place,) = await assigned(group)
    assert await group.lags() == {}
    group.seek_and_resume(place, 0)
    await offsets(group, 2, max_records=2)
    assert await group.lags() == {place: 3}
