"""What an input topic holds already of some series."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from stream_lstm.candles.closing import FLAG_EARLY_MS
from stream_lstm.candles.decode import Pin, decode
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader, Span

_READ_SECONDS: Final = 600.0
_STEPS_BACK: Final = (64, 4_096)
"""Candles before now among which the newest of each series is looked for, before all is read."""
_RECENT: Final = 8


@dataclass(slots=True)
class Holding:
    """The closed candles of one series that are in the topic, as far back as was looked."""

    opens: set[int] = field(default_factory=set)
    """Open times."""
    recent: dict[int, Closed] = field(default_factory=dict)
    """The newest of them, by open time, each as it was said last."""

    def take(self, candle: Closed) -> None:
        """One more of them, or a correction."""
        self.opens.add(candle.open_ms)
        self.recent[candle.open_ms] = candle
        if len(self.recent) > _RECENT:
            del self.recent[min(self.recent)]

    @property
    def newest_ms(self) -> int:
        """Open time of the newest; -1 if there is none."""
        return max(self.recent, default=-1)


Holdings = dict[SeriesKey, Holding]


async def held_since(
    connection: KafkaConnection, topic: str, pin: Pin, wanted: Collection[SeriesKey], since_ms: int
) -> Holdings:
    """What the topic holds of these series among the records from a time on, by the records' own.

    Raises `BrokerError`, and `TopicMissing` if there is no such topic.
    """
    held: Holdings = {series: Holding() for series in wanted}
    async with LogReader(connection, Deadline(_READ_SECONDS)) as reader:
        places = await reader.partitions(topic)
        spans = {}
        for place, span in (await reader.spans(places)).items():
            start = await reader.offset_at(place, since_ms)
            spans[place] = Span(span.stop if start is None else start, span.stop)
        async for candle in _closed(reader, spans, pin):
            if candle.series in held:
                held[candle.series].take(candle)
    return held


async def newest_held(
    connection: KafkaConnection,
    topic: str,
    pin: Pin,
    wanted: Mapping[SeriesKey, int],
    now_ms: int,
) -> Holdings:
    """The newest candles of each series in the topic, however old; `wanted` has the series' steps in ms."""
    longest_ms = max(wanted.values(), default=0)
    held: Holdings = {}
    for since_ms in (*(now_ms - steps * longest_ms for steps in _STEPS_BACK), 0):
        held = await held_since(connection, topic, pin, wanted, since_ms)
        if all(holding.recent for holding in held.values()):
            break
    return held


async def _closed(
    reader: LogReader, spans: Mapping[tuple[str, int], Span], pin: Pin
) -> AsyncIterator[Closed]:
    """The candles of records that are flagged closed and were written when they had."""
    async for record in reader.read(spans):
        if record.value is None or b"true" not in record.value:  # forming ones are most of some topics
            continue
        for update in decode(record.value, record_ms=record.timestamp, pin=pin).updates:
            if update.closed and record.timestamp >= update.close_ms - FLAG_EARLY_MS:
                yield Closed(*update[:8])
