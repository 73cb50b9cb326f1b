import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import ConsumerRecord

from stream_lstm.errors import BrokerError, TopicMissing
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.group import GroupConsumer
from stream_lstm.kafka.membership import GroupConfig
from stream_lstm.kafka.topic_admin import check, create, retention_ms
from stream_lstm.kafka.topics import DAY_MS, FOR_EVER, TopicNames, TopicSpec, specs, subscription

pytestmark = pytest.mark.kafka

Produce = Callable[..., Awaitable[None]]
ReadAll = Callable[[str], Awaitable[list[ConsumerRecord]]]


@pytest.fixture
def names(prefix: str) -> TopicNames:
    return TopicNames(prefix)


async def test_what_was_created_passes_the_check(connection: KafkaConnection, names: TopicNames) -> None:
    candles = names["candles"]
    wanted = specs(names, [candles], partitions=3)
    assert await create(connection, wanted, Deadline(20)) == [spec.name for spec in wanted]
    assert await check(connection, names, [candles], [], Deadline(20)) == {candles: 3}


async def test_creating_again_changes_nothing(connection: KafkaConnection, names: TopicNames) -> None:
    first = specs(names, [names["candles"]], partitions=2, candle_retention_ms=DAY_MS)
    await create(connection, first[:1], Deadline(20))
    again = specs(names, [names["candles"]], partitions=5)
    assert await create(connection, again, Deadline(20)) == [spec.name for spec in again[1:]]
    counts = await check(connection, names, [names["candles"]], [], Deadline(20))
    assert counts == {names["candles"]: 2}
    assert await retention_ms(connection, names["candles"], Deadline(20)) == DAY_MS


async def test_a_pattern_finds_its_topics(connection: KafkaConnection, names: TopicNames) -> None:
    inputs = [names["in-btc"], names["in-eth"]]
    await create(connection, specs(names, inputs, partitions=1), Deadline(20))
    found = await check(connection, names, [], [names["in-.*"]], Deadline(20))
    assert found == dict.fromkeys(inputs, 1)


async def test_a_missing_topic_is_named_with_the_command_that_makes_it(
    connection: KafkaConnection, names: TopicNames
) -> None:
    await create(connection, specs(names, [names["candles"]])[:-1], Deadline(20))
    with pytest.raises(TopicMissing, match=r"candles\.dlq'.*`stream-lstm topics create`"):
        await check(connection, names, [names["candles"]], [], Deadline(20))


async def test_a_pattern_without_topics_is_named(connection: KafkaConnection, names: TopicNames) -> None:
    await create(connection, specs(names, []), Deadline(20))
    with pytest.raises(TopicMissing, match=r"pattern 'nobody-\.\*'"):
        await check(connection, names, [], ["nobody-.*"], Deadline(20))


async def test_what_kafka_refuses_is_named_with_its_reason(connection: KafkaConnection) -> None:
    with pytest.raises(BrokerError, match="'a/b': InvalidTopicError"):
        await create(connection, [TopicSpec(name="a/b", partitions=1, retention_ms=1)], Deadline(20))


async def test_the_settings_of_a_missing_topic_are_an_error(connection: KafkaConnection) -> None:
    with pytest.raises(BrokerError, match="nobody"):
        await retention_ms(connection, "nobody", Deadline(20))


async def test_a_member_is_given_the_inputs_and_control_and_nothing_else(
    connection: KafkaConnection, names: TopicNames
) -> None:
    candles = names["candles"]
    await create(connection, specs(names, [candles], partitions=2), Deadline(20))
    group = GroupConsumer(
        connection, GroupConfig(group_id=names.prefix, pattern=subscription(names, [candles]))
    )
    await group.start(Deadline(20))
    try:
        async with asyncio.timeout(20):
            while not group.owned:
                await group.poll(1, 0.2)
                group.changes()
        assert group.owned == {(candles, 0), (candles, 1), (names.control, 0)}
    finally:
        await group.stop(Deadline(5))


async def test_a_record_keeps_the_time_of_its_producer(
    connection: KafkaConnection, names: TopicNames, produce: Produce, read_all: ReadAll
) -> None:
    spec = TopicSpec(name=names["candles"], partitions=1, retention_ms=FOR_EVER)
    await create(connection, [spec], Deadline(20))
    await produce(spec.name, [b"x"], timestamps=[1000])
    assert [record.timestamp for record in await read_all(spec.name)] == [1000]


async def test_without_a_broker_it_ends_with_our_error() -> None:
    nobody = KafkaConnection("127.0.0.1:9")
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1"):
        await check(nobody, TopicNames(), ["candles"], [], Deadline(0.5))
