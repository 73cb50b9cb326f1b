"""What is written to `control`, and which commands have been answered: read beside the worker's loop."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import ConsumerRecord

from stream_lstm.contracts.command import Command, Unreadable, parse
from stream_lstm.contracts.reply import REJECTED, REPLY
from stream_lstm.errors import StreamLstmError
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.tail import Tail
from stream_lstm.kafka.topics import CONTROL, MODEL_EVENTS, TopicNames

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.2
_PAUSE_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 5.0
_START_SECONDS: Final = 60.0
_MOST: Final = 10_000
"""Records that have not been taken above which no more are read."""
_MARKS: Final = (REPLY.encode(), REJECTED.encode())


class Arrived(NamedTuple):
    """A record of `control`: its command, or why it is none."""

    key: str
    """Of its replies: the command's id, or where the record is."""
    command: Command | Unreadable
    at_ms: int
    """Timestamp of the record, epoch ms."""


class Replied(NamedTuple):
    """A page of a reply that is in the log."""

    key: str
    worker_id: str
    pages: int
    page: int


class Inbox:
    """Follows both topics from `window_s` ago on; `on_news` is called when there is something to take."""

    def __init__(
        self, connection: KafkaConnection, names: TopicNames, window_s: float, *, on_news: Callable[[], None]
    ) -> None:
        self.synced = -1.0
        """Everything that was written before this is read; by `time.monotonic`."""
        self.events: dict[int, int] = {}
        """How far each partition of `model-events` has been read."""
        self._connection = connection
        self._topics = {name: names[name] for name in (CONTROL, MODEL_EVENTS)}
        self._begin_ms = int((time.time() - window_s) * 1000)
        self._on_news = on_news
        self._arrived: list[Arrived] = []
        self._replied: list[Replied] = []
        self._wanted = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._follow_for_ever(), name="control")

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """Records that have been read and not taken."""
        return len(self._arrived) + len(self._replied)

    def take(self) -> tuple[list[Arrived], list[Replied]]:
        """What has come since the last call."""
        arrived, replied, self._arrived, self._replied = self._arrived, self._replied, [], []
        return arrived, replied

    def has_read(self, until: float) -> bool:
        """Whether all that was written before `until`, by `time.monotonic`, is read; else sees to it."""
        self._wanted = max(self._wanted, until)
        return self.synced >= until

    async def _follow_for_ever(self) -> None:
        while True:
            try:
                await self._follow()
            except StreamLstmError as error:
                log.warning("commands wait, reading them again in %g s: %s", _PAUSE_SECONDS, error)
            except Exception:  # whatever it is, a worker that reads no commands must not seem to
                log.exception("commands wait, reading them again in %g s", _PAUSE_SECONDS)
            self.synced = -1.0
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        tail = Tail(
            self._connection,
            self._topics,
            self._begin_ms,
            start_seconds=_START_SECONDS,
            uncommitted=True,  # replies are in no transaction, and must not wait for those of others
        )
        async with tail:
            fence: tuple[float, dict[Any, int]] | None = None
            while True:
                if fence is None and self._wanted > self.synced:
                    fence = (time.monotonic(), await tail.ends(_ANSWER_SECONDS))
                if self.waiting < _MOST:
                    for logical, record in await tail.poll(_POLL_SECONDS):
                        self._note(logical, record)
                else:  # the loop waits for its own records to be acknowledged, and takes none
                    await asyncio.sleep(_POLL_SECONDS)
                positions = await tail.positions()
                events = self._topics[MODEL_EVENTS]
                self.events = {at.partition: next for at, next in positions.items() if at.topic == events}
                if fence is not None and all(positions[place] >= end for place, end in fence[1].items()):
                    self.synced, fence = fence[0], None
                    self._on_news()
                if self._arrived or self._replied:
                    self._on_news()

    def _note(self, logical: str, record: ConsumerRecord) -> None:
        self._begin_ms = max(self._begin_ms, record.timestamp - 1_000)  # where a second reading would begin
        if logical == CONTROL:
            self._arrived.append(_arrived(record))
        elif (replied := _replied(record.value)) is not None:
            self._replied.append(replied)


def _arrived(record: ConsumerRecord) -> Arrived:
    where = f"@{record.topic}-{record.partition}-{record.offset}"
    try:
        command = parse(record.value)
    except Unreadable as error:
        return Arrived(error.command_id or where, error, record.timestamp)
    return Arrived(command.command_id, command, record.timestamp)


def _replied(value: bytes | None) -> Replied | None:
    if value is None or not any(mark in value for mark in _MARKS):
        return None
    try:
        told = orjson.loads(value)
        if told["type"] not in (REPLY, REJECTED):
            return None
        key, _, page = str(told["id"]).rpartition("/")
        return Replied(key, str(told["workerId"]), int(told["pages"]), int(page))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
