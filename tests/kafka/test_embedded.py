import asyncio
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream_lstm.errors import EmbeddedKafkaError
from stream_lstm.kafka.embedded import EmbeddedKafka


async def make_topic(servers: str) -> str:
    topic = f"t{uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    return topic


async def topics_of(servers: str) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    topics = set(await admin.list_topics())
    await admin.close()
    return topics


@pytest.mark.slow
async def test_clients_go_on_over_a_crash_of_the_broker_and_nothing_is_lost(
    private_kafka: EmbeddedKafka,
) -> None:
    servers = private_kafka.bootstrap_servers
    topic = await make_topic(servers)
    stop = asyncio.Event()

    async def produce(producer: AIOKafkaProducer) -> int:
        for number in count():
            await producer.send(topic, str(number).encode())
            await asyncio.sleep(0.01)
            if stop.is_set():
                await producer.flush()
                return number + 1
        raise AssertionError

    async with (
        AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True) as producer,
        AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer,
    ):
        producing = asyncio.create_task(produce(producer))
        got = [int((await consumer.getone()).value)]
        await asyncio.to_thread(private_kafka.kill)
        await asyncio.to_thread(private_kafka.restart)
        stop.set()
        sent = await producing
        while len(got) < sent:
            got.append(int((await consumer.getone()).value))
    assert got == list(range(sent))


@pytest.mark.slow
async def test_a_directory_keeps_the_topics_for_the_next_broker(
    private_kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    async with EmbeddedKafka(tmp_path / "new" / "kafka") as first:
        topic = await make_topic(first.bootstrap_servers)
    assert first.pid is None
    async with EmbeddedKafka(tmp_path / "new" / "kafka") as second:
        assert second.bootstrap_servers != private_kafka.bootstrap_servers
        assert topic in await topics_of(second.bootstrap_servers)


@pytest.mark.slow
async def test_a_broker_that_runs_is_not_started_twice(private_kafka: EmbeddedKafka) -> None:
    pid = private_kafka.pid
    with pytest.raises(EmbeddedKafkaError, match="runs already"):
        private_kafka.start()
    assert private_kafka.pid == pid


@pytest.mark.usefixtures("private_kafka")
def test_a_start_that_fails_says_what_the_log_says(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedKafkaError, match="heap") as caught, EmbeddedKafka(tmp_path, heap_mb=0):
        raise AssertionError("it must not start")
    assert str(tmp_path / "broker.log") in str(caught.value)
