from collections.abc import Awaitable, Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import BrokerError
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.streaming.facts import Fact, FactLog, by_partition, encode, parse, read_facts

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]

SERIES = SeriesKey("binance", "BTCUSDT", "1h")
WORDS = st.text(max_size=20).filter(lambda text: text.isprintable())


def fact(offset: int, *, partition: int = 0, candles: int = 0, kind: str = "model.trained") -> Fact:
    place = {"topic": "candles", "partition": partition, "offset": offset, "candles": candles}
    return Fact(kind=kind, series=SERIES, body={"modelId": "m"}, **place)


@given(
    st.builds(
        Fact,
        kind=WORDS,
        series=st.builds(SeriesKey, WORDS, WORDS, WORDS),
        topic=WORDS,
        partition=st.integers(0, 10_000),
        offset=st.integers(0, 2**62),
        candles=st.integers(0, 1000),
        body=st.dictionaries(WORDS, st.integers(-(2**53), 2**53) | WORDS | st.none()),
    )
)
def test_a_fact_is_read_back_as_it_was_said(said: Fact) -> None:
    assert parse(encode(said, 0)) == said


def test_an_event_says_where_it_was_applied() -> None:
    event = orjson.loads(encode(fact(7, partition=2, candles=3), 1_700_000_000_000))
    assert event["type"] == "model.trained"
    assert event["at"] == 1_700_000_000_000
    assert event["appliedAt"] == {"topic": "candles", "partition": 2, "offset": 7, "candles": 3}


def test_candles_are_left_out_where_there_are_none() -> None:
    assert orjson.loads(encode(fact(7), 0))["appliedAt"] == {"topic": "candles", "partition": 0, "offset": 7}


@pytest.mark.parametrize("value", [None, b"", b'{"type":"worker.started"}', b'{"type":"x","appliedAt":null}'])
def test_other_events_are_no_facts(value: bytes | None) -> None:
    assert parse(value) is None


@pytest.mark.parametrize(
    "value",
    [b'{"appliedAt":', b'["appliedAt"]', b'{"appliedAt":{}}', b'{"type":"x","appliedAt":7}'],
)
def test_a_damaged_fact_is_an_error_and_not_overlooked(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(value)


def test_a_replay_meets_the_facts_of_a_partition_in_order() -> None:
    facts = [fact(9), fact(5, candles=2), fact(5), fact(1, partition=1), fact(5, kind="series.paused")]
    index = by_partition(facts)
    assert index["candles", 1] == [facts[3]]
    assert index["candles", 0] == [facts[2], facts[4], facts[1], facts[0]]


@pytest.mark.kafka
async def test_facts_are_read_to_the_end_even_behind_transaction_markers(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic(2)
    await produce(topic, [encode(fact(1), 0), b'{"type":"worker.started"}'], timestamps=[10, 20])
    await produce(topic, [encode(fact(2), 0)], partition=1, timestamps=[15], transaction=True)
    await produce(topic, [encode(fact(3), 0)], timestamps=[30], abort=True)
    await produce(topic, [encode(fact(4), 0)], timestamps=[40], transaction=True)
    assert await read_facts(connection, topic, Deadline(20)) == [fact(1), fact(2), fact(4)]


@pytest.mark.kafka
async def test_a_damaged_fact_in_the_log_is_named_and_passed_over(
    connection: KafkaConnection,
    create_topic: CreateTopic,
    produce: Produce,
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic = await create_topic()
    await produce(topic, [b'{"appliedAt":{}}', encode(fact(1), 0)])
    assert await read_facts(connection, topic, Deadline(20)) == [fact(1)]
    assert f"{topic}-0 offset 0" in caplog.text


@pytest.mark.kafka
async def test_an_empty_log_has_no_facts(connection: KafkaConnection, create_topic: CreateTopic) -> None:
    assert await read_facts(connection, await create_topic(), Deadline(20)) == []


@pytest.mark.kafka
async def test_a_log_that_is_not_there_is_our_error_in_time(connection: KafkaConnection) -> None:
    with pytest.raises(BrokerError, match="missing-topic"):
        await read_facts(connection, "missing-topic", Deadline(1))


@pytest.mark.kafka
async def test_nothing_is_read_before_the_offset_that_it_begins_at(
    connection: KafkaConnection, create_topic: CreateTopic, produce: Produce
) -> None:
    topic = await create_topic()
    await produce(topic, [encode(fact(at), 0) for at in range(4)])
    later = FactLog(connection, topic, {0: 2})
    assert [one.offset for one in await later.read(Deadline(20))] == [2, 3]
    made_again = FactLog(connection, topic, {0: 9})
    assert [one.offset for one in await made_again.read(Deadline(20))] == [0, 1, 2, 3]
