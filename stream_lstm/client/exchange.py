"""Commands out, replies in: one producer and one reader for all that is asked at the same time."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from stream_lstm.client.answers import Answers
from stream_lstm.contracts.command import Command
from stream_lstm.contracts.reply import Reply
from stream_lstm.errors import BrokerError, NoAnswer, PartitionLost, TopicMissing
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.records import Record
from stream_lstm.kafka.tail import Tail
from stream_lstm.kafka.topics import CONTROL, MODEL_EVENTS, TopicNames

log = logging.getLogger(__name__)

LOOK_BACK_SECONDS: Final = 900.0
"""Replies of so long ago are known: longer than any command lives, and clocks are apart."""
_ATTEMPT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 3.0


class Exchange:
    """Sends commands and finds their answers. An async context manager that needs no Kafka to be entered.

    While Kafka is away it tries to reach it, and what is asked waits for that within its time.
    """

    def __init__(
        self, connection: KafkaConnection, names: TopicNames, clock: Callable[[], float] = time.time
    ) -> None:
        self.silent_since_ms: int | None = None
        """When a command was first not answered in time, with no reply read since; epoch ms."""
        self._connection = connection
        self._names = names
        self._clock = clock
        self._answers = Answers()
        self._producer = BatchProducer(connection, {CONTROL: names.control})
        self._waiting: dict[str, set[asyncio.Future[Reply]]] = {}
        self._turned = asyncio.Condition()
        self._tail: Tail | None = None
        self._trouble: BrokerError | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read_for_ever(), name="read replies")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._reader is not None
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._producer.stop(Deadline(_STOP_SECONDS))

    @property
    def newest_answer_ms(self) -> int | None:
        """When the newest reply that is in the log was given, to whomever; epoch ms."""
        return self._answers.newest_ms

    async def ask(self, command: Command, seconds: float) -> Reply:
        """Send a command, unless its answer is known, and wait for the first complete reply to its id.

        Raises `NoAnswer` when the time is over, `BrokerError` if Kafka could not be reached in it, and
        `TopicMissing` at once.
        """
        return await self._exchange(command.command_id, command, seconds)

    async def wait(self, command_id: str, seconds: float) -> Reply:
        """The answer to a command that was sent already. Raises like `ask`."""
        return await self._exchange(command_id, None, seconds)

    async def trouble(self, seconds: float) -> str | None:
        """What keeps it from Kafka; None if the brokers answer within `seconds`."""
        deadline = Deadline(seconds)
        try:
            tail = await self._linked(deadline, seconds)
            await tail.ends(deadline.remaining())
        except BrokerError as error:
            return str(error)
        return None

    async def _exchange(self, command_id: str, command: Command | None, seconds: float) -> Reply:
        deadline = Deadline(seconds)
        with self._expecting(command_id) as answer:
            if not answer.done():
                await self._linked(deadline, seconds)
            if command is not None and not answer.done():
                await self._send(command, answer, deadline)
            assert self._reader is not None
            ends: set[asyncio.Future[Any]] = {answer, self._reader}
            await asyncio.wait(ends, timeout=deadline.remaining(), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                if self._reader.done():
                    self._reader.result()
                raise self._no_answer(command_id, command, seconds)
            return answer.result()

    @contextmanager
    def _expecting(self, command_id: str) -> Iterator[asyncio.Future[Reply]]:
        """A future of the answer to a command, set already if it is known."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        known = self._answers.get(command_id)
        if known is not None:
            future.set_result(known)
        waiting = self._waiting.setdefault(command_id, set())
        waiting.add(future)
        try:
            yield future
        finally:
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(command_id, None)

    async def _send(self, command: Command, answer: asyncio.Future[Reply], deadline: Deadline) -> None:
        key = None if command.symbol is None else command.symbol.encode()
        try:
            await self._producer.send([Record(CONTROL, key, command.to_json())], deadline)
        except PartitionLost as error:
            if not answer.done():  # else it was in the log, and only that it is was not told
                raise BrokerError(
                    f"{_told(command)} may be in {self._names.control} or not: {error.__cause__ or error}. "
                    f"If it is, it is not done after its expiry; command id {command.command_id}"
                ) from error

    async def _linked(self, deadline: Deadline, seconds: float) -> Tail:
        """Wait until replies are read: one that comes before could be missed."""
        try:
            async with asyncio.timeout(deadline.remaining()), self._turned:
                await self._turned.wait_for(lambda: self._tail or isinstance(self._trouble, TopicMissing))
        except TimeoutError:
            told = self._trouble or f"cannot reach Kafka at {self._connection.bootstrap_servers}"
            raise BrokerError(f"nothing was asked, for {seconds:g} s there was no Kafka: {told}") from None
        if self._tail is None:
            raise TopicMissing(str(self._trouble)) from self._trouble
        return self._tail

    async def _read_for_ever(self) -> None:
        """Read replies, whatever becomes of Kafka."""
        while True:
            try:
                await self._read()
            except BrokerError as error:
                if str(error) != str(self._trouble):
                    log.warning("replies cannot be read, which is tried again and again: %s", error)
                await self._turn(None, error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _read(self) -> None:
        # From the same time on after a failure: what is known already is known by its id.
        begin = int((self._clock() - LOOK_BACK_SECONDS) * 1000)
        topics = {MODEL_EVENTS: self._names[MODEL_EVENTS]}
        # Replies are outside of transactions: nobody needs to wait until those around them have ended.
        tail = Tail(
            self._connection,
            topics,
            begin,
            start_seconds=_ATTEMPT_SECONDS,
            uncommitted=True,
        )
        async with tail:
            await self._turn(tail, None)
            async for batch in tail:
                for _, record in batch:
                    self._settle(self._answers.add(record.value))

    def _settle(self, answer: Reply | None) -> None:
        if answer is None or answer.correlation_id is None:
            return
        self.silent_since_ms = None
        for future in self._waiting.get(answer.correlation_id, ()):
            if not future.done():
                future.set_result(answer)

    async def _turn(self, tail: Tail | None, trouble: BrokerError | None) -> None:
        async with self._turned:
            self._tail, self._trouble = tail, trouble
            self._turned.notify_all()

    def _no_answer(self, command_id: str, command: Command | None, seconds: float) -> NoAnswer:
        self.silent_since_ms = self.silent_since_ms or int(self._clock() * 1000)
        what = _told(command) if command is not None else f"the command {command_id}"
        return NoAnswer(
            f"no answer to {what} within {seconds:g} s. Probably no worker runs, or it has another "
            f"topics.prefix: it was asked in {self._names.control!r} and listened to in "
            f"{self._names[MODEL_EVENTS]!r} at {self._connection.bootstrap_servers}. Start one with "
            f"`stream-lstm run`, or look at its log; command id {command_id}"
        )


def _told(command: Command) -> str:
    parts = (command.exchange, command.symbol, command.interval, command.horizon)
    return " ".join((command.command, *filter(None, parts)))
