"""Predictions as they are said: the latest of each series first, then what follows, once each."""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import orjson
from aiokafka import ConsumerRecord
from pydantic import ValidationError

from stream_lstm.contracts.prediction import Prediction
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.tail import Batch, Begin, Last, Tail
from stream_lstm.kafka.topics import PREDICTIONS, TopicNames

log = logging.getLogger(__name__)

LOOK_BACK: Final = 10_000
"""Offsets of each partition that are looked at for the latest predictions."""
_POLL_SECONDS: Final = 0.2


class _Line(NamedTuple):
    """One horizon of one series: of each only the newest prediction counts."""

    exchange: str
    symbol: str
    interval: str
    horizon: str


class _Found(NamedTuple):
    """A prediction that has not been checked yet."""

    line: _Line
    age: tuple[int, int]
    """asOf and revision: what is newer is greater."""
    body: dict[str, Any]
    place: str


class PredictionStream:
    """Typed predictions, without end. An async context manager and an async iterator.

    ```
    async with PredictionStream("localhost:9092", symbols=["BTCUSDT"], horizons=["1h"]) as predictions:
        async for prediction in predictions:
            print(prediction.symbol, prediction.quantile(0.05), prediction.valid_until)
    ```

    It begins with the latest prediction of each series and horizon, then gives everything that is said
    after entering, in its order: each (id, revision) once, and nothing that is older than what it has given
    of that series and horizon. Workers may be killed and Kafka may be away meanwhile: it waits, and goes on
    where it was. What cannot be read is logged and skipped. Only committed messages are read.

    Leave it with `break`; what is not taken yet is given to the next loop over it. One loop at a time.
    """

    def __init__(
        self,
        kafka: KafkaConnection | str,
        *,
        prefix: str = "",
        symbols: Collection[str] = (),
        horizons: Collection[str] = (),
        exchange: str | None = None,
        interval: str | None = None,
        fresh_within: float | None = None,
        latest: bool = True,
        look_back: int = LOOK_BACK,
        start_seconds: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Choose: of `symbols`, `horizons`, `exchange` and `interval`, what is not given chooses all.

        `kafka` is a connection or bootstrap servers (`host:port`), `prefix` the workers' `topics.prefix`.
        `fresh_within` drops predictions whose candle closed more than so many seconds ago by the clock
        (seconds since the epoch). With `latest=False` it begins with what is said after entering. The
        latest are looked for in the last `look_back` offsets of each partition: with S series in a partition
        and H horizons, give at least 2·S·H, and more where long intervals share the topic with short ones.
        """
        connection = KafkaConnection(kafka) if isinstance(kafka, str) else kafka
        connection.client_options()  # files that cannot be used are said here
        topics = {PREDICTIONS: TopicNames(prefix)[PREDICTIONS]}
        begin: Begin = Last(look_back) if latest else "now"
        self._tail = Tail(connection, topics, begin, start_seconds=start_seconds)
        self._chosen = (exchange and {exchange}, set(symbols), interval and {interval}, set(horizons))
        self._fresh_ms = None if fresh_within is None else fresh_within * 1000
        self._clock = clock
        self._catching_up = latest
        self._latest: dict[_Line, _Found] = {}
        self._after: list[_Found] = []
        self._given: dict[_Line, tuple[int, int]] = {}
        self._ready: deque[Prediction] = deque()

    async def __aenter__(self) -> Self:
        """Raises `TopicMissing`, or `BrokerError` if Kafka gives no answer in `start_seconds`."""
        await self._tail.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tail.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Prediction:
        """The next prediction. Raises `BrokerError` if Kafka refuses, but not while it is away."""
        while not self._ready:
            self._take(await self._tail.poll(_POLL_SECONDS))
            if self._catching_up and await self._tail.has_caught_up():
                self._begin()
        return self._ready.popleft()

    def _take(self, batch: Batch) -> None:
        for _, record in batch:
            found = self._read(record)
            if found is None:
                continue
            if not self._catching_up:
                self._give(found)
            elif not self._tail.was_there(record):
                self._after.append(found)
            elif found.line not in self._latest or self._latest[found.line].age < found.age:
                self._latest[found.line] = found

    def _begin(self) -> None:
        """All that was there is known: give the latest of it, then what has come since."""
        for found in sorted(self._latest.values(), key=lambda each: each.age):
            self._give(found)
        for found in self._after:
            self._give(found)
        self._catching_up = False
        self._latest, self._after = {}, []

    def _read(self, record: ConsumerRecord) -> _Found | None:
        """As much of a record as tells whether it is wanted: to check all of it costs ten times as much."""
        place = f"{record.topic}[{record.partition}] at {record.offset}"
        try:
            body = orjson.loads(record.value or b"")
            line = _Line(*(str(body[name]) for name in _Line._fields))
            age = int(body["asOf"]), int(body["revision"])
        except (ValueError, TypeError, KeyError) as error:
            log.warning("%s is no prediction and is skipped: %s", place, repr(error)[:200])
            return None
        if any(chosen and part not in chosen for chosen, part in zip(self._chosen, line, strict=True)):
            return None
        return _Found(line, age, body, place)

    def _give(self, found: _Found) -> None:
        """Hand out what is new, readable and fresh."""
        given = self._given.get(found.line)
        if given is not None and found.age <= given:
            return
        try:
            prediction = Prediction.model_validate(found.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            log.warning("%s is no prediction and is skipped: %s: %s", found.place, where, first["msg"])
            return
        self._given[found.line] = found.age
        if self._fresh_ms is None or self._clock() * 1000 - prediction.as_of <= self._fresh_ms:
            self._ready.append(prediction)
