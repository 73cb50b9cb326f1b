import asyncio
import io
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from rich.console import Console

from stream_lstm.errors import TopicMissing
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.records import Record
from stream_lstm.kafka.topics import TopicNames, specs
from stream_lstm.streaming.watch import watch

pytestmark = pytest.mark.kafka

AS_OF = 1_728_125_999_999
Say = Callable[..., Awaitable[None]]


def prediction(symbol: str, horizon: str = "1h", as_of: int = AS_OF) -> dict[str, Any]:
    """As much of a prediction as is looked at."""
    path = [{"predictedPrice": 100.0, "lowerBound": 99.0, "upperBound": 101.0, "confidence": 0.9}]
    info = {"modelType": "lstm", "lastTrained": None, "expiresAt": None, "stale": False, "reason": None}
    series = {"exchange": "binance", "symbol": symbol, "interval": "1h", "horizon": horizon}
    said = {"asOf": as_of, "revision": 0, "lastClose": 100.0, "predictions": path, "modelInfo": info}
    return series | said


@pytest.fixture
async def names(connection: KafkaConnection, prefix: str) -> TopicNames:
    names = TopicNames(prefix)
    await topic_admin.create(connection, specs(names, [], partitions=2), Deadline(30))
    return names


@pytest.fixture
async def say(connection: KafkaConnection, names: TopicNames) -> AsyncIterator[Say]:
    producer = BatchProducer(connection, names.produced)
    await producer.start(Deadline(30))

    async def say(*bodies: dict[str, Any]) -> None:
        records = [Record("predictions", body["symbol"].encode(), orjson.dumps(body)) for body in bodies]
        await producer.send(records, Deadline(10))

    yield say
    await producer.stop(Deadline(5))


@asynccontextmanager
async def watching(*args: Any, **options: Any) -> AsyncIterator[None]:
    """Runs until the test has seen enough, then Ctrl-C must end it cleanly."""
    task = asyncio.create_task(watch(*args, **options))
    async with asyncio.timeout(60):
        yield
        os.kill(os.getpid(), signal.SIGINT)
        await task


async def lines(out: io.BytesIO, count: int) -> list[dict[str, Any]]:
    while len(found := out.getvalue().splitlines()) < count:  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(0.05)
    return [orjson.loads(line) for line in found]


async def test_each_prediction_is_a_line_of_json_and_a_repeat_none(
    connection: KafkaConnection, names: TopicNames, say: Say
) -> None:
    out = io.BytesIO()
    first, second = prediction("BTC"), prediction("BTC", as_of=AS_OF + 1)
    await say(first, first, second)
    async with watching(connection, names, since_seconds=3600, as_json=True, out=out):
        assert await lines(out, 2) == [first, second]
        await say(second, prediction("ETH"))
        assert await lines(out, 3) == [first, second, prediction("ETH")]


async def test_only_the_chosen_symbols_and_horizons_are_written(
    connection: KafkaConnection, names: TopicNames, say: Say
) -> None:
    out = io.BytesIO()
    await say(*(prediction(symbol, horizon) for symbol in ("BTC", "ETH", "SOL") for horizon in ("1h", "1d")))
    chosen = {"symbols": ["btc", "SOL"], "horizons": ["1d"]}
    async with watching(connection, names, since_seconds=3600, as_json=True, out=out, **chosen):
        found = await lines(out, 2)
    assert sorted((one["symbol"], one["horizon"]) for one in found) == [("BTC", "1d"), ("SOL", "1d")]


async def test_what_was_said_is_read_back_by_the_time_when_it_was_said(
    connection: KafkaConnection, names: TopicNames
) -> None:
    now, hour = int(time.time() * 1000), 3_600_000
    ages = {"A": 72, "B": 49, "C": 47, "D": 1}
    producer = BatchProducer(connection, names.produced)
    await producer.start(Deadline(30))
    for symbol, hours in ages.items():
        body = orjson.dumps(prediction(symbol, as_of=now - hours * hour))
        record = Record("predictions", symbol.encode(), body, (), now - hours * hour)
        await producer.send([record], Deadline(10))
    await producer.stop(Deadline(5))
    out = io.BytesIO()
    servers, prefix = connection.bootstrap_servers, names.prefix
    settings = ("--set", f"kafka.bootstrap_servers={servers}", "--set", f"topics.prefix={prefix}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream_lstm", "watch", "--since", "2d", "--json", *settings),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        for _ in range(2):
            out.write(await process.stdout.readline())
    process.terminate()
    rest, _ = await process.communicate()
    assert rest == b""
    assert {body["symbol"] for body in await lines(out, 2)} == {"C", "D"}


async def test_without_a_terminal_it_writes_json_and_ends_when_nobody_reads(
    connection: KafkaConnection, names: TopicNames, say: Say
) -> None:
    await say(prediction("BTC"))
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as out:  # noqa: ASYNC230  a pipe
        no_terminal = Console(file=io.StringIO())
        async with asyncio.timeout(30):
            await watch(connection, names, since_seconds=3600, console=no_terminal, out=out)  # type: ignore[arg-type]
    assert no_terminal.file.getvalue() == ""  # type: ignore[attr-defined]


async def test_on_a_terminal_it_draws_a_table_that_stays_at_the_end(
    connection: KafkaConnection, names: TopicNames, say: Say
) -> None:
    await say(prediction("BTC"), prediction("ETH", "1d"))
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100, height=30)
    async with watching(connection, names, symbols=["BTC"], since_seconds=3600, console=terminal):
        while "BTC" not in screen.getvalue():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "stream-lstm: 1 series" in text
    assert "ETH" not in text
    assert screen.getvalue().endswith("\x1b[?25h")  # the cursor is back


@pytest.mark.slow
async def test_while_kafka_is_away_the_view_stays_and_says_since_when(
    private_kafka: EmbeddedKafka, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection, names, screen = (
        KafkaConnection(private_kafka.bootstrap_servers),
        TopicNames(prefix),
        io.StringIO(),
    )
    await topic_admin.create(connection, specs(names, []), Deadline(30))
    terminal = Console(file=screen, force_terminal=True, width=100, height=30)
    async with watching(connection, names, console=terminal):
        while "Waiting for the first prediction" not in screen.getvalue():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
        await asyncio.to_thread(private_kafka.kill)
        while "last message 4s ago" not in screen.getvalue():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
        written_into_the_view = [one for one in caplog.records if one.name.startswith("aiokafka")]
    await asyncio.to_thread(private_kafka.restart)
    assert written_into_the_view == []


async def test_a_missing_topic_ends_it_with_the_way_out(connection: KafkaConnection, prefix: str) -> None:
    with pytest.raises(TopicMissing, match=f"'{re.escape(prefix)}predictions'.*topics create"):
        await watch(connection, TopicNames(prefix), as_json=True, out=io.BytesIO())
