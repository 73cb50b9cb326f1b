from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.streaming.rewind import find_start

pytestmark = pytest.mark.kafka

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]

MINUTE = 60_000
T0 = 1_700_000_000_000


@pytest.fixture
async def reader(connection: KafkaConnection) -> AsyncIterator[LogReader]:
    async with LogReader(connection, Deadline(30)) as reader:
        yield reader


@pytest.fixture
def minutes(create_topic: CreateTopic, produce: Produce) -> Callable[..., Awaitable[str]]:
    """A topic with one record a minute, whose value is the interval of its candle in minutes."""

    async def fill(count: int, value: bytes = b"1", **options: bool) -> str:
        topic = await create_topic()
        times = [T0 + number * MINUTE for number in range(count)]
        await produce(topic, [value] * count, timestamps=times, **options)
        return topic

    return fill


def steps(record: ConsumerRecord) -> list[int]:
    return [int(record.value) * MINUTE] if record.value.isdigit() else []


Minutes = Callable[..., Awaitable[str]]


async def test_it_goes_back_by_candles(reader: LogReader, minutes: Minutes) -> None:
    start = await find_start(reader, (await minutes(100), 0), 80, steps, rewind_candles=10)
    # The record before offset 80 is of minute 79: ten candles before is minute 69.
    assert start == (69, 80, "from committed offset 80, rewound 10 candles of 60 s")


async def test_the_longest_interval_counts(reader: LogReader, minutes: Minutes, produce: Produce) -> None:
    topic = await minutes(50, b"1")
    await produce(topic, [b"5"], timestamps=[T0 + 50 * MINUTE])
    assert (await find_start(reader, (topic, 0), 51, steps, rewind_candles=4)).seek == 30


async def test_it_goes_back_no_further_than_allowed(reader: LogReader, minutes: Minutes) -> None:
    topic = await minutes(100)
    start = await find_start(reader, (topic, 0), 80, steps, rewind_candles=50, rewind_max_records=20)
    assert start == (60, 80, "from committed offset 80, rewound 20 offsets, the most allowed")


async def test_it_goes_back_to_the_start_of_a_short_log(reader: LogReader, minutes: Minutes) -> None:
    start = await find_start(reader, (await minutes(10), 0), 8, steps)
    assert start == (0, 8, "from committed offset 8, rewound to the start of the log")


async def test_a_committed_offset_at_the_end_is_rewound_like_any(reader: LogReader, minutes: Minutes) -> None:
    start = await find_start(reader, (await minutes(100), 0), 100, steps, rewind_candles=10)
    assert start[:2] == (89, 100)


async def test_what_retention_has_removed_is_no_goal(
    reader: LogReader, minutes: Minutes, admin: AIOKafkaAdminClient
) -> None:
    topic = await minutes(100)
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=75)})
    assert (await find_start(reader, (topic, 0), 80, steps, rewind_candles=10))[:2] == (75, 80)


@pytest.mark.parametrize("committed", [10, 101])
async def test_an_offset_outside_the_log_means_a_new_beginning_from_the_earliest(
    reader: LogReader, minutes: Minutes, admin: AIOKafkaAdminClient, committed: int
) -> None:
    topic = await minutes(100)
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=75)})
    start = await find_start(reader, (topic, 0), committed, steps)
    assert start == (75, 75, f"committed offset {committed} is not in the log 75…100: from the earliest")


async def test_without_a_committed_offset_it_is_live_from_the_end(
    reader: LogReader, minutes: Minutes
) -> None:
    start = await find_start(reader, (await minutes(100), 0), None, steps, rewind_candles=10)
    assert start[:2] == (89, 100)


async def test_or_from_the_earliest_if_that_is_wanted(reader: LogReader, minutes: Minutes) -> None:
    start = await find_start(reader, (await minutes(100), 0), None, steps, start_at="earliest")
    assert start == (0, 0, "no committed offset: from the earliest")


@pytest.mark.parametrize(("start_at", "committed"), [("latest", None), ("earliest", None), ("latest", 0)])
async def test_an_empty_log_begins_at_its_start(
    reader: LogReader, create_topic: CreateTopic, start_at: str, committed: int | None
) -> None:
    start = await find_start(reader, (await create_topic(), 0), committed, steps, start_at=start_at)
    assert start[:2] == (0, 0)


async def test_records_that_are_no_candles_are_rewound_to_the_limit(
    reader: LogReader, minutes: Minutes
) -> None:
    topic = await minutes(50, b"no candle")
    assert (await find_start(reader, (topic, 0), 40, steps, rewind_max_records=15))[:2] == (25, 40)


async def test_a_transaction_marker_at_the_end_stops_nothing(reader: LogReader, minutes: Minutes) -> None:
    topic = await minutes(100, transaction=True)
    start = await find_start(reader, (topic, 0), 101, steps, rewind_candles=10)
    assert start[:2] == (89, 101)


async def test_a_log_that_holds_only_an_aborted_transaction_is_like_an_empty_one(
    reader: LogReader, minutes: Minutes
) -> None:
    topic = await minutes(5, abort=True)
    assert (await find_start(reader, (topic, 0), None, steps))[:2] == (0, 6)
