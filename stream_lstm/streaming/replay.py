"""`stream-lstm replay`: candle files, or a synthetic market, into an input topic."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Final

import orjson

from stream_lstm.candles import moments
from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.candles.moments import Moment
from stream_lstm.errors import SettingsError
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.log_reader import LogReader, Span
from stream_lstm.kafka.topics import retention_warning
from stream_lstm.streaming.feeder import Feeder, Progress

BEGINNING_MS: Final = 315_532_800_000
"""1980: the first synthetic candle. 46 years of hours are half a day of play at ten a second, in the past."""
_ANSWER_SECONDS: Final = 30.0
_LAST: Final = 1_000
"""Records at the end of each partition among which the newest candle is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is to be published, and how fast. Raises `SettingsError` if that is nothing, or both."""

    files: Sequence[Path] = ()
    synthetic: int = 0
    """Series of the synthetic market, instead of files."""
    exchange: str = "binance"
    """Exchange of the files' candles."""
    speed: float | None = None
    """Candles per second and series; None for as fast as possible."""
    interval: str = "1h"
    """Of the synthetic candles."""
    start_ms: int = BEGINNING_MS
    """Open time of the first synthetic candle."""
    seed: int = 0

    def __post_init__(self) -> None:
        if bool(self.files) == (self.synthetic > 0):
            raise SettingsError("replay either files or a synthetic market: name files, or --synthetic N")
        if self.speed is not None and not 0 < self.speed <= 1e6:
            raise SettingsError(f"--speed {self.speed:g}: write candles per second and series, more than 0")


async def replay(
    connection: KafkaConnection,
    topic: str,
    wanted: Replay,
    *,
    warn: Callable[[str], None],
    progress: Callable[[int, int | None], None] = lambda sent, total: None,
) -> int:
    """Publish candles into a topic that exists; how many are in it then.

    Files end, and so does a synthetic market without `speed`: at the wall clock. With `speed` it goes on for
    ever, until the call is cancelled. It begins after the synthetic candles that are in the topic: one that
    is started again repeats nothing. `warn` is told, before anything is written, if Kafka's retention will
    delete what is about to be; `progress` how many candles are out, of how many (None if there is no end).
    Raises `TopicMissing`, `BrokerError`, `SettingsError` and `BadCandle` for files that cannot be read.
    """
    files = [read_csv(path) for path in wanted.files]
    retention_ms = await topic_admin.retention_ms(connection, topic, Deadline(_ANSWER_SECONDS))
    oldest_ms = min((int(file.open_ms[0]) + file.step_ms - 1 for file in files), default=wanted.start_ms)
    if warning := retention_warning(topic, retention_ms, oldest_ms, int(time.time() * 1000)):
        warn(warning)
    newest_ms = await _newest_ms(connection, topic) if wanted.synthetic else -1
    total = sum(len(file.open_ms) for file in files) or None
    return await _publish(
        connection,
        topic,
        _moments(wanted, files, newest_ms),
        wanted.speed,
        lambda sent: progress(sent, total),
    )


async def _newest_ms(connection: KafkaConnection, topic: str) -> int:
    """Close time of the newest synthetic candle at the partitions' ends; -1 if there is none."""
    async with LogReader(connection, Deadline(_ANSWER_SECONDS)) as reader:
        spans = await reader.spans(await reader.partitions(topic))
        # More than the last one: at the end may lie what others wrote, and what ended their transactions.
        ends = {place: Span(max(span.start, span.stop - _LAST), span.stop) for place, span in spans.items()}
        last = [record async for record in reader.read(ends)]
    return max((record.timestamp for record in last if _is_synthetic(record.value)), default=-1)


def _is_synthetic(value: bytes | None) -> bool:
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return False
    return isinstance(body, dict) and body.get("exchange") == moments.EXCHANGE


def _moments(wanted: Replay, files: Sequence[CandleFile], newest_ms: int) -> Iterator[Moment]:
    if files:
        return moments.of_files(files, wanted.exchange)
    names = moments.symbols(wanted.synthetic)
    whole = moments.of_market(names, interval=wanted.interval, start_ms=wanted.start_ms, seed=wanted.seed)
    market = dropwhile(lambda moment: moment[0].close_ms <= newest_ms, whole)
    if wanted.speed is not None:
        return market
    now_ms = time.time() * 1000
    return takewhile(lambda moment: moment[0].close_ms < now_ms, market)


async def _publish(
    connection: KafkaConnection,
    topic: str,
    market: Iterator[Moment],
    speed: float | None,
    progress: Progress,
) -> int:
    async with Feeder(connection, topic, progress) as feeder:
        await (feeder.pour(market) if speed is None else feeder.play(market, speed))
    return feeder.sent
