"""Reads what a worker says, as it says it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from stream_lstm.streaming.connection import Deadline, KafkaConnection
from stream_lstm.streaming.log_reader import LogReader, Span
from stream_lstm.streaming.topics import DEAD_LETTERS

Hear = Callable[[str, Mapping[str, Any]], None]
"""Given the topic and the body of every message, an empty one for a dead letter."""

_PAUSE_SECONDS: Final = 0.2
_LONG_SECONDS: Final = 10 * 365 * 86_400.0


async def listen(connection: KafkaConnection, topics: Sequence[str], hear: Hear) -> None:
    """Hear everything that is in the topics and comes into them, until cancelled. Raises `BrokerError`."""
    async with LogReader(connection, Deadline(_LONG_SECONDS)) as reader:
        places = [place for topic in topics for place in await reader.partitions(topic)]
        heard = {place: span.start for place, span in (await reader.spans(places)).items()}
        while True:
            spans = await reader.spans(places)
            new = {place: Span(heard[place], span.stop) for place, span in spans.items()}
            async for record in reader.read(new):
                hear(record.topic, {} if record.topic == DEAD_LETTERS else orjson.loads(record.value))
            heard = {place: span.stop for place, span in new.items()}
            await asyncio.sleep(_PAUSE_SECONDS)
