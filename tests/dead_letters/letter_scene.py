"""An input and its dead-letter topic on a real Kafka, and records that were refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer, ConsumerRecord

from stream_lstm.dead_letters.letter import DeadLetters
from stream_lstm.dead_letters.plan import Plan, Wanted
from stream_lstm.dead_letters.replay import plan, replay
from stream_lstm.dead_letters.selection import Selection
from stream_lstm.errors import BadCandle
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader
from stream_lstm.kafka.topics import FOR_EVER, TopicSpec

T0 = 1_700_000_000_000
MINUTE = 60_000


@dataclass
class LetterScene:
    connection: KafkaConnection
    prefix: str
    letters: DeadLetters = field(default_factory=lambda: DeadLetters("stream-lstm", "w1"))

    @property
    def candles(self) -> str:
        return f"{self.prefix}candles"

    @property
    def dlq(self) -> str:
        return f"{self.prefix}candles.dlq"

    async def create(self, *, inputs: int = 2, dlq: int = 1) -> None:
        wanted = [(self.candles, inputs), (self.dlq, dlq)]
        await topic_admin.create(
            self.connection,
            [TopicSpec(name=name, partitions=count, retention_ms=FOR_EVER) for name, count in wanted],
            Deadline(30),
        )

    async def refused(
        self,
        values: Sequence[bytes],
        reason: str = "not_json",
        *,
        partition: int = 0,
        first_ms: int = T0,
        headers: Sequence[tuple[str, bytes]] = (),
        dlq_partition: int = 0,
    ) -> list[ConsumerRecord]:
        """Records a minute apart that a worker would have refused: they and their letters are in the log."""
        offsets = await self.produce(
            self.candles,
            [
                {"value": value, "key": b"BTC", "partition": partition, "headers": list(headers)}
                | {"timestamp_ms": first_ms + at * MINUTE}
                for at, value in enumerate(values)
            ],
        )
        found = {one.offset: one for one in await self.read(self.candles) if one.partition == partition}
        received = [found[offset] for offset in offsets]
        await self.refuse(received, reason, dlq_partition=dlq_partition)
        return received

    async def refuse(
        self, received: Sequence[ConsumerRecord], reason: str = "not_json", *, dlq_partition: int = 0
    ) -> None:
        """Letters about records that are in the log."""
        made = [
            self.letters.letter((one.topic, one.partition), one, BadCandle(reason, f"{reason}: no candle"))
            for one in received
        ]
        await self.produce(
            self.dlq,
            [
                {"value": letter.value, "key": letter.key, "headers": list(letter.headers)}
                | {"partition": dlq_partition, "timestamp_ms": letter.timestamp_ms}
                for letter in made
            ],
        )

    async def produce(self, topic: str, records: Sequence[dict[str, Any]]) -> list[int]:
        """Their offsets."""
        options = self.connection.client_options()
        async with AIOKafkaProducer(**options, max_request_size=10_000_000) as producer:
            sent = [await producer.send(topic, **record) for record in records]
            return [(await one).offset for one in sent]

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """All that is committed in a topic, in the order of its partitions, and of time within one."""
        async with LogReader(self.connection, Deadline(30)) as reader:
            found = [one async for one in reader.read(await reader.spans(await reader.partitions(topic)))]
        return sorted(found, key=lambda one: (one.partition, one.offset))

    async def replayed(self) -> list[ConsumerRecord]:
        """The records in the input that a replay has written."""
        return [one for one in await self.read(self.candles) if "stream-lstm.replay-of" in dict(one.headers)]

    def wanted(self, *, again: bool = False, **selected: Any) -> Wanted:
        return Wanted(selection=Selection(**selected), is_input=self.candles.__eq__, again=again)

    async def plan(self, **wanted: Any) -> Plan:
        return await plan(self.connection, self.dlq, self.wanted(**wanted))

    async def replay(self, **wanted: Any) -> Plan:
        return await replay(self.connection, self.dlq, self.wanted(**wanted))
