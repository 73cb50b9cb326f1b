"""Publishes candles: closed ones as fast as Kafka takes them, or paced like a market that runs faster.

Every record's timestamp is the close time of its candle, so that event time confirms the flag. That of a
forming one is its open time: a later one could close, by the partition clock, what others have not closed.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from stream_lstm.candles.encode import canonical
from stream_lstm.candles.moments import Moment
from stream_lstm.candles.series import Closed, Update
from stream_lstm.errors import BrokerError, PartitionLost
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.records import Record
from stream_lstm.kafka.topics import CANDLES

_BATCH: Final = 2_000
"""Candles per batch at most, but for a moment of more series: half a megabyte."""
_SEND_SECONDS: Final = 30.0
_LAST_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 3.0
_LONGEST_SLEEP_SECONDS: Final = 1.0
"""Clocks are looked at again after this: a machine may be suspended."""

Progress = Callable[[int], None]
"""Told how many candles are in the log, after every batch."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the moments of a market go out: `speed` of them a second, counted from `began`.

    By absolute times: a late one makes no later one late.

    >>> schedule = Schedule(speed=10.0, began=100.0)
    >>> schedule.due(100.0), schedule.due(100.25), schedule.wait(3, 100.25)
    (1, 3, 0.05)
    """

    speed: float
    began: float

    def due(self, now: float) -> int:
        """How many moments ought to be out by now."""
        return int((now - self.began) * self.speed + 1e-6) + 1

    def wait(self, sent: int, now: float) -> float:
        """Seconds until the next moment after `sent` of them; 0 when it is late."""
        return round(max(0.0, self.began + sent / self.speed - now), 6)


class Feeder:
    """Sends candles to one topic, key = symbol. An async context manager that owns its producer.

    Cancel a verb to stop it: it ends the batch under way, if that takes no longer than a second. `sent` says
    how many candles are in the log for certain. A series' candles keep the order in which they came.
    """

    def __init__(
        self, connection: KafkaConnection, topic: str, progress: Progress = lambda sent: None
    ) -> None:
        self.topic = topic
        self.sent = 0
        self._progress = progress
        self._producer = BatchProducer(connection, {CANDLES: topic})

    async def __aenter__(self) -> "Feeder":
        await self._producer.start(Deadline(_SEND_SECONDS))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._producer.stop(Deadline(_STOP_SECONDS))

    async def pour(self, moments: Iterable[Moment]) -> None:
        """Send all moments as fast as Kafka takes them, a bounded batch in memory at a time.

        Raises `BrokerError` if a batch is refused or not acknowledged in half a minute.
        """
        candles = chain.from_iterable(moments)
        while batch := list(islice(candles, _BATCH)):
            await self.put(batch)

    async def put(self, candles: Sequence[Closed | Update]) -> None:
        """Send these, closed or forming, in one batch. Raises `BrokerError` like `pour`."""
        await self._send(candles)

    async def play(self, moments: Iterable[Moment], speed: float) -> None:
        """Send `speed` moments a second: with series of one interval, so many candles of each.

        After a delay it catches up, a bounded batch at a time. A candle that has not closed yet by the
        wall clock is waited for. Raises `BrokerError` like `pour`.
        """
        waiting = iter(moments)
        schedule, sent = Schedule(speed, time.monotonic()), 0
        following = next(waiting, None)
        while following is not None:
            if not _has_closed(following) or schedule.due(time.monotonic()) <= sent:
                await self._pause(schedule, sent, following)
                continue
            due = schedule.due(time.monotonic()) - sent
            batch, count, following = _take(following, waiting, due)
            await self._send(batch)
            sent += count

    async def _pause(self, schedule: Schedule, sent: int, following: Moment) -> None:
        seconds = schedule.wait(sent, time.monotonic())
        seconds = max(seconds, following[0].close_ms / 1000 - time.time())
        await asyncio.sleep(min(seconds, _LONGEST_SLEEP_SECONDS))

    async def _send(self, candles: Sequence[Closed | Update]) -> None:
        records = [
            Record(CANDLES, candle.series.symbol.encode(), canonical(candle), (), _record_ms(candle))
            for candle in candles
        ]
        sending = asyncio.ensure_future(self._producer.send(records, Deadline(_SEND_SECONDS)))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait({sending}, timeout=_LAST_SECONDS)
            if sending.done() and sending.exception() is None:
                self.sent += len(candles)
            sending.cancel()
            raise
        except PartitionLost as error:
            raise BrokerError(
                f"stopped after {self.sent} candles: the next {len(candles)} may be in {self.topic} or not "
                f"({error.__cause__ or error}). To send them again does no harm: a worker knows duplicates"
            ) from error
        self.sent += len(candles)
        self._progress(self.sent)


def _record_ms(candle: Closed | Update) -> int:
    is_forming = isinstance(candle, Update) and not candle.closed
    return candle.open_ms if is_forming else candle.close_ms


def _has_closed(moment: Moment) -> bool:
    return moment[0].close_ms < time.time() * 1000


def _take(first: Moment, rest: Iterator[Moment], due: int) -> tuple[list[Closed], int, Moment | None]:
    """Candles of at most `due` moments that have closed, how many moments they are, and the next one."""
    batch, count, following = [*first], 1, next(rest, None)
    while following is not None and count < due and len(batch) + len(following) <= _BATCH:
        if not _has_closed(following):
            break
        batch += following
        count += 1
        following = next(rest, None)
    return batch, count, following
