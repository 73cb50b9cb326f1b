"""What a restart reads of `model-events`: from its checkpoint on, and what waiting commands may need."""

import time
from collections.abc import Awaitable, Callable

import pytest

from stream_lstm.candles.series import SeriesKey
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.streaming.facts import Fact, encode
from stream_lstm.streaming.replay_facts import ReplayFacts

pytestmark = pytest.mark.kafka

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]
BTC = SeriesKey("binance", "BTC", "1h")
PLACE = ("candles", 0)


async def written(topic: str, produce: Produce, ages_s: list[int]) -> None:
    """A fact of each age, at offsets from 0 on."""
    now = int(time.time() * 1000)
    facts = [
        Fact(kind="series.paused", series=BTC, topic="candles", partition=0, offset=at)
        for at in range(len(ages_s))
    ]
    values = [encode(fact, 0) for fact in facts]
    await produce(topic, values, timestamps=[now - 1000 * age for age in ages_s])


async def offsets(facts: ReplayFacts, since: dict[str, int] | None) -> list[int]:
    return [fact.offset for fact in await facts.of(PLACE, time.monotonic(), since)]


async def test_effects_of_commands_that_may_still_wait_are_read_whatever_the_checkpoint_knows(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await written(topic, produce, [5, 4, 3])
    assert await offsets(ReplayFacts(connection, topic, 20), {"0": 3}) == [0, 1, 2]


async def test_what_is_older_is_left_to_the_checkpoint(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await written(topic, produce, [9_000, 8_000, 7_000, 3])
    assert await offsets(ReplayFacts(connection, topic, 20), {"0": 2}) == [2, 3]


async def test_a_partition_with_an_earlier_checkpoint_has_it_read_again_from_there(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await written(topic, produce, [9_000, 8_000, 7_000, 6_000])
    facts = ReplayFacts(connection, topic, 20)
    assert await offsets(facts, {"0": 3}) == [3]
    assert await offsets(facts, {"0": 1}) == [1, 2, 3]
    assert await offsets(facts, None) == [0, 1, 2, 3]
