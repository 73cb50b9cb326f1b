"""Where to seek when there is no checkpoint: far enough back that the series have a history again."""

from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

from aiokafka import ConsumerRecord

from stream_lstm.kafka.log_reader import LogReader, Place, Span

_SAMPLE: Final = 2_000
"""Records before the start that are looked at for their intervals."""


class Start(NamedTuple):
    """Where a partition begins."""

    seek: int
    """First offset to read; up to `live_from` it is replayed silently."""
    live_from: int
    """First offset whose outputs are published. The next record may well lie behind it: never wait for it."""
    reason: str


async def find_start(
    reader: LogReader,
    partition: Place,
    committed: int | None,
    steps_ms: Callable[[ConsumerRecord], Iterable[int]],
    *,
    start_at: Literal["latest", "earliest"] = "latest",
    rewind_candles: int = 500,
    rewind_max_records: int = 100_000,
) -> Start:
    """Where to begin, given the group's committed offset.

    `steps_ms` gives the intervals, in ms, of the candles in a record. The start lies `rewind_candles` of the
    longest interval among the last 2,000 records before the committed offset, by their timestamps, and at
    most `rewind_max_records` offsets. Raises `BrokerError` at the reader's deadline.
    """
    inside = (await reader.spans([partition])).popitem()[1]
    if committed is None:
        if start_at == "earliest":
            return Start(inside.start, inside.start, "no committed offset: from the earliest")
        live_from, origin = inside.stop, "no committed offset: from the end as of now"
    elif not inside.start <= committed <= inside.stop:
        origin = f"committed offset {committed} is not in the log {inside.start}…{inside.stop}"
        return Start(inside.start, inside.start, f"{origin}: from the earliest")
    else:
        live_from, origin = committed, f"from committed offset {committed}"
    seek, how = await _rewound(
        reader, partition, Span(inside.start, live_from), steps_ms, rewind_candles, rewind_max_records
    )
    return Start(seek, live_from, f"{origin}, {how}")


async def _rewound(
    reader: LogReader,
    partition: Place,
    before: Span,
    steps_ms: Callable[[ConsumerRecord], Iterable[int]],
    rewind_candles: int,
    rewind_max_records: int,
) -> tuple[int, str]:
    """The offset to seek within what is `before` the start, and how it was found."""
    floor = max(before.start, before.stop - rewind_max_records)
    limit = "rewound to the start of the log"
    if floor > before.start:
        limit = f"rewound {rewind_max_records} offsets, the most allowed"
    longest, last_ms = 0, 0
    sample = Span(max(floor, before.stop - _SAMPLE), before.stop)
    async for record in reader.read({partition: sample}):
        longest = max(longest, *steps_ms(record), 0)
        last_ms = record.timestamp
    if not longest:
        return floor, f"{limit} (no candle shortly before)"
    found = await reader.offset_at(partition, last_ms - rewind_candles * longest)
    if found is None or found <= floor:
        return floor, limit
    return min(found, before.stop), f"rewound {rewind_candles} candles of {longest // 1000} s"
