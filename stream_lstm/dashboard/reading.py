"""Follows the topics for the store: a bounded look back, then what comes."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from stream_lstm.dashboard.store import Store
from stream_lstm.dashboard.views import Views
from stream_lstm.dashboard.words import DOWN_SECONDS
from stream_lstm.errors import StreamLstmError, TopicMissing
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.tail import Last, Tail
from stream_lstm.kafka.topics import TopicNames
from stream_lstm.settings import Settings
from stream_lstm.settings.inputs import is_input, pin_of

log = logging.getLogger(__name__)

LOOK_BACK: Final = 10_000
"""Records of each partition that are read at the start."""
_POLL_SECONDS: Final = 0.2
_AT_ONCE: Final = 100
"""Records after which others have their turn."""
_SWEEP_SECONDS: Final = 1.0
_ADMIN_SECONDS: Final = 15.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 15.0

Take = Callable[[str, Any], None]
Topics = Callable[[], Awaitable[Mapping[str, str]]]


class Reading:
    """Keeps a store up to date while it is entered. While Kafka is away nothing changes."""

    def __init__(
        self, settings: Settings, connection: KafkaConnection, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = Store(close_grace_ms=round(settings.closing.close_grace * 1000), clock=clock)
        self.views = Views(self.store, settings.warm_up)
        self.clock = clock
        self.trouble: dict[str, str] = {}
        """Why what is not read, by what."""
        self._settings = settings
        self._connection = connection
        self._names = TopicNames(settings.topics.prefix)
        self._behind = {"forecasts", "candles"}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def has_caught_up(self) -> bool:
        """Whether all that was there at the start has been read, as far as it can be."""
        return self._behind <= self.trouble.keys()

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._follow("forecasts", self._said, self._take_said), name="dashboard"),
            asyncio.create_task(self._follow("candles", self._inputs, self._take_candle), name="candles"),
            asyncio.create_task(self._sweep(), name="sweep"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _follow(self, what: str, topics: Topics, take: Take) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            try:
                async with Tail(self._connection, await topics(), Last(LOOK_BACK)) as tail:
                    self.trouble.pop(what, None)
                    pause = _FIRST_PAUSE_S
                    await self._read(what, tail, take)
            except StreamLstmError as error:
                if str(error) != self.trouble.get(what):
                    log.warning("the dashboard cannot read %s, and tries again: %s", what, error)
                self.trouble[what] = str(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _read(self, what: str, tail: Tail, take: Take) -> None:
        while True:
            for number, (topic, record) in enumerate(await tail.poll(_POLL_SECONDS)):
                take(topic, record)
                if number % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
            if what in self._behind and await tail.has_caught_up():
                self._behind.discard(what)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.store.sweep(DOWN_SECONDS)

    async def _said(self) -> Mapping[str, str]:
        return self._names.produced

    async def _inputs(self) -> Mapping[str, str]:
        named = {each.topic: each.topic for each in self._settings.inputs if each.topic is not None}
        if len(named) == len(self._settings.inputs):
            return named
        ours = {*self._names.produced.values(), self._names.control}
        there = await topic_admin.partition_counts(self._connection, Deadline(_ADMIN_SECONDS))
        found = [name for name in there if name not in ours and is_input(self._settings.inputs, name)]
        if not named and not found:
            raise TopicMissing(f"{self._connection.bootstrap_servers} has no topic that `inputs` match")
        return named | {name: name for name in found}

    def _take_said(self, topic: str, record: Any) -> None:
        self.store.offer(topic, record.value, record.headers)

    def _take_candle(self, topic: str, record: Any) -> None:
        pin = pin_of(self._settings.inputs, topic)
        self.store.offer_candle((topic, record.partition), record.value, record.timestamp, pin)
