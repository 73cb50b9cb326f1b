"""What exactly once costs: publishing under both guarantees, and a worker that owns 500 one-partition topics.

Each partition says what one closed candle causes: four predictions of 3 KB. Kafka runs on the same cores.
"""

import asyncio
import os
import resource
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import report
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka
from stream_lstm.kafka.records import Record
from stream_lstm.kafka.topics import FOR_EVER, TopicSpec
from stream_lstm.streaming.exactly_once import ExactlyOnce
from stream_lstm.streaming.publisher import AtLeastOnce, Publisher

PARTITIONS: Final = (1, 8, 64)
TOPICS: Final = 500
GROUP: Final = "benchmark"
BODY: Final = os.urandom(750).hex().encode() * 2
MESSAGES: Final = 4
"""Of one partition in one round."""
ROUNDS: Final = 100
ANSWER_S: Final = 60.0
PAUSE_S: Final = 0.05
"""Between two rounds: the broker ends a transaction after it has answered, and lets the next one wait."""

Place = tuple[str, int]


class Offsets:
    """The group's offsets, committed by a consumer that is alone in it."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def committed(self, partition: Place, deadline: Deadline) -> int | None:
        return await self._consumer.committed(TopicPartition(*partition))

    async def commit(self, offsets: dict[Place, int], deadline: Deadline) -> None:
        await self._consumer.commit({TopicPartition(*place): offset for place, offset in offsets.items()})


async def rounds(publisher: Publisher, places: Sequence[Place], count: int) -> list[float]:
    """Seconds of each `publish_all` in which every partition says four messages."""
    taken = []
    for at in range(1, count + 1):
        said = {place: ([Record("predictions", b"key", BODY)] * MESSAGES, at) for place in places}
        began = time.perf_counter()
        await publisher.publish_all(said)
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_S)
    return taken[count // 10 :]


async def compared(made: Callable[[str], Publisher], places: Sequence[Place], count: int) -> dict[str, float]:
    """Median and worst tenth in ms, and records a second while publishing, by guarantee."""
    found = {}
    for name in ("at_least_once", "exactly_once"):
        publisher = made(name)
        await publisher.start(Deadline(ANSWER_S))
        for place in places:
            await publisher.open(place)
        taken = await rounds(publisher, places, count)
        await publisher.close(places)
        await publisher.stop(Deadline(ANSWER_S))
        found[f"{name}_ms"] = statistics.median(taken) * 1e3
        found[f"{name}_p90_ms"] = statistics.quantiles(taken, n=10)[-1] * 1e3
        found[f"{name}_records_per_s"] = MESSAGES * len(places) * len(taken) / sum(taken)
    return found | {"times_as_long": found["exactly_once_ms"] / found["at_least_once_ms"]}


async def opened(publisher: Publisher, places: Sequence[Place]) -> dict[str, float]:
    """A worker that is given all of these partitions, and then each says something."""
    await publisher.start(Deadline(ANSWER_S))
    before = resident_mb()
    began = time.perf_counter()
    await asyncio.gather(*(publisher.open(place) for place in places))
    open_s = time.perf_counter() - began
    first, *later = [await rounds(publisher, places, 1) for _ in range(5)]
    found = {
        "open_s": open_s,
        "first_ms": first[0] * 1e3,
        "exactly_once_ms": statistics.median(one for (one,) in later) * 1e3,
        "mb": resident_mb() - before,
        "threads": threading.active_count(),
        "sockets": sum("socket" in os.readlink(f"/proc/self/fd/{fd}") for fd in open_files()),
    }
    await publisher.stop(Deadline(ANSWER_S))
    return found


def open_files() -> list[str]:
    """Numbers of our open files that are still open."""
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.islink(f"/proc/self/fd/{fd}")]


def resident_mb() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


async def measured(count: int, topics: int) -> list[report.Row]:
    """All rows."""
    async with EmbeddedKafka() as kafka:
        connection = KafkaConnection(kafka.bootstrap_servers, GROUP)
        names = [f"candles-{at}" for at in range(topics)]
        inputs = [TopicSpec(name=name, partitions=1, retention_ms=FOR_EVER) for name in names]
        wanted = [
            TopicSpec(name="predictions", partitions=6, retention_ms=FOR_EVER),
            TopicSpec(name="candles", partitions=max(PARTITIONS), retention_ms=FOR_EVER),
            *inputs,
        ]
        await topic_admin.create(connection, wanted, Deadline(5 * ANSWER_S))
        topic, rows = {"predictions": "predictions"}, []
        async with AIOKafkaConsumer(
            **connection.client_options(), group_id=GROUP, enable_auto_commit=False
        ) as consumer:
            consumer.assign([TopicPartition("candles", at) for at in range(max(PARTITIONS))])
            offsets = Offsets(consumer)

            def made(name: str) -> Publisher:
                if name == "exactly_once":
                    return ExactlyOnce(connection, offsets, topic, GROUP)
                return AtLeastOnce(connection, offsets, topic)

            for partitions in PARTITIONS:
                places = [("candles", at) for at in range(partitions)]
                row = await compared(made, places, count)
                rows.append({"what": f"{partitions} partitions", **row})
            row = await opened(made("exactly_once"), [(name, 0) for name in names])
            rows.append({"what": f"{topics} topics of one partition", **row})
    return rows


def main() -> None:
    chosen = report.arguments(__doc__ or "")
    report.on_one_native_thread(pinned=False)
    count, topics = (20, 20) if chosen.quick else (ROUNDS, TOPICS)
    found = report.Report("transactions", rows=asyncio.run(measured(count, topics)))
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
