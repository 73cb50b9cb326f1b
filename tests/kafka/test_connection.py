import asyncio
import gc
import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaError

from stream_lstm.errors import BrokerError
from stream_lstm.kafka.connection import Deadline, KafkaConnection, bounded_stop, start_with_backoff
from stream_lstm.kafka.embedded import EmbeddedKafka

NOBODY = "127.0.0.1:1"


class FakeClient:
    """Fails its first starts with the given errors; its stop ends when `may_stop` is set."""

    def __init__(self, *failures: Exception, stop_fails: Exception | None = None) -> None:
        self.failures = list(failures)
        self.stop_fails = stop_fails
        self.attempts = 0
        self.may_stop = asyncio.Event()
        self.stop_cancelled = False
        self.client = self
        self.wire_closed = False
        self._conns: dict[str, object] = {}

    async def start(self) -> None:
        self.attempts += 1
        if self.failures:
            raise self.failures.pop(0)

    async def stop(self) -> None:
        if self.stop_fails:
            raise self.stop_fails
        try:
            await self.may_stop.wait()
        except asyncio.CancelledError:
            self.stop_cancelled = True
            raise

    async def close(self) -> None:
        self.wire_closed = True


def test_a_deadline_is_shared_by_all_steps_and_never_negative() -> None:
    now = [10.0]
    deadline = Deadline(2.0, clock=lambda: now[0])
    assert deadline.remaining() == 2.0
    now[0] += 1.5
    assert deadline.remaining() == 0.5
    now[0] += 1.5
    assert deadline.remaining() == 0.0


async def test_a_start_is_tried_again_while_kafka_is_away(caplog: pytest.LogCaptureFixture) -> None:
    client = FakeClient(KafkaConnectionError("refused"), KafkaConnectionError("still refused"))
    with caplog.at_level(logging.WARNING, "stream_lstm"):
        await start_with_backoff(client, "the reader", Deadline(60))
    assert client.attempts == 3
    assert [record.getMessage() for record in caplog.records] == [
        "the reader waits for Kafka, next attempt in 0.2 s: KafkaConnectionError: refused",
        "the reader waits for Kafka, next attempt in 0.4 s: KafkaConnectionError: still refused",
    ]


async def test_a_start_that_kafka_refuses_is_not_tried_again() -> None:
    client = FakeClient(GroupAuthorizationFailedError("candles"))
    with pytest.raises(BrokerError, match=r"refuses to start the group g: .*Read on the group 'candles'"):
        await start_with_backoff(client, "the group g", Deadline(60))
    assert client.attempts == 1


@pytest.mark.parametrize("make", [AIOKafkaProducer, AIOKafkaConsumer, AIOKafkaAdminClient])
async def test_a_start_ends_at_its_deadline_and_says_where_kafka_was_looked_for(make: type) -> None:
    client = make(**KafkaConnection(NOBODY).client_options())
    async with asyncio.timeout(10):
        with pytest.raises(BrokerError, match=r"cannot start the reader: .*127\.0\.0\.1"):
            await start_with_backoff(client, "the reader", Deadline(0.5))
    await (client.close() if make is AIOKafkaAdminClient else client.stop())


@pytest.mark.kafka
@pytest.mark.slow
async def test_a_start_that_is_cancelled_at_any_moment_leaves_no_connection_open(
    connection: KafkaConnection,
) -> None:
    gc.collect()
    with warnings.catch_warnings(record=True) as open_ones:
        warnings.simplefilter("always")
        for moment in range(40):
            client = AIOKafkaConsumer(**connection.client_options(), enable_auto_commit=False)
            starting = asyncio.create_task(start_with_backoff(client, "a reader", Deadline(10)))
            await asyncio.sleep(moment * 0.0005)
            starting.cancel()
            await asyncio.wait({starting})
            await bounded_stop(client, 3)
            del client, starting
            gc.collect()
    assert [str(one.message) for one in open_ones] == []


async def test_a_failing_stop_is_said_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "stream_lstm"):
        await bounded_stop(FakeClient(stop_fails=KafkaError("lost")), 10)
    assert "did not stop cleanly" in caplog.text
    assert "lost" in caplog.text


async def test_a_stop_that_hangs_is_cut_off_and_the_connections_closed() -> None:
    client = FakeClient()
    await bounded_stop(client, 0)
    assert client.stop_cancelled
    assert client.wire_closed


async def test_whoever_cancels_a_bounded_stop_cancels_the_stop() -> None:
    client = FakeClient()
    stopping = asyncio.create_task(bounded_stop(client, 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await asyncio.sleep(0)
    assert client.stop_cancelled


@pytest.fixture(params=[signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def break_broker(
    request: pytest.FixtureRequest, private_kafka: EmbeddedKafka
) -> Iterator[Callable[[], None]]:
    """Sends the broker a signal after which it does not answer; it answers again after the test."""
    assert private_kafka.pid
    pid: int = private_kafka.pid
    yield lambda: os.kill(pid, request.param)
    if request.param == signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
    else:
        private_kafka.restart()


async def test_clients_of_a_broker_that_does_not_answer_stop_in_bounded_time_and_leave_nothing_behind(
    private_kafka: EmbeddedKafka, break_broker: Callable[[], None]
) -> None:
    options = KafkaConnection(private_kafka.bootstrap_servers).client_options()
    topic = uuid4().hex
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(**options, enable_idempotence=True, max_request_size=20_000_000)
    consumer = AIOKafkaConsumer(topic, **options, group_id=topic, enable_auto_commit=False)
    await producer.start()
    await producer.send_and_wait(topic, b"1")
    await consumer.start()
    break_broker()
    unsent = await producer.send(topic, bytes(15_000_000))  # more than the socket's buffers take
    async with asyncio.timeout(20):
        await bounded_stop(producer, 0.5)
        await bounded_stop(consumer, 0.5)
    with pytest.raises(KafkaError):
        await unsent
    await asyncio.sleep(0)
    assert not asyncio.all_tasks() - {asyncio.current_task()}
