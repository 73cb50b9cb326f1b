"""How every client reaches Kafka, and the two moments at which clients wait for ever: start and stop."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError, ProducerClosed

from stream_lstm.errors import BrokerError
from stream_lstm.kafka import credentials, diagnosis
from stream_lstm.kafka.refusals import cause
from stream_lstm.settings.security import Security

log = logging.getLogger(__name__)

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 5.0
_GRACE_S: Final = 1.0
_SILENT_S: Final = 3.0


class Client(Protocol):
    """What aiokafka's consumers and producers have in common."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Finish what is begun and disconnect."""


@dataclass(frozen=True)
class KafkaConnection:
    """Where Kafka is and as whom we come. `bootstrap_servers` is `host:port`, several with commas.

    What it shows of itself holds no secret. Certificates and passwords are read from their files once, when
    the first client is made.
    """

    bootstrap_servers: str
    client_id: str = "stream-lstm"
    security: Security = field(default_factory=Security)

    def client_options(self) -> dict[str, Any]:
        """The keyword arguments that every aiokafka client takes. Raises `SettingsError`."""
        return dict(self._options)

    @cached_property
    def _options(self) -> Mapping[str, Any]:
        told = {"bootstrap_servers": self.bootstrap_servers, "client_id": self.client_id}
        return told | credentials.client_options(self.security)


class Deadline:
    """One time budget, in seconds, shared by all steps of an undertaking.

    >>> deadline = Deadline(3.0, clock=iter([100.0, 101.0, 104.5]).__next__)
    >>> deadline.remaining(), deadline.remaining()
    (2.0, 0.0)
    """

    __slots__ = ("_clock", "_end")

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self._end - self._clock())


@contextmanager
def telling(what: str, *about: object) -> Iterator[None]:
    """Say in the log what is waited for when Kafka takes its time, and when that is over.

    `what` is a format of `logging`, `about` what goes into it.
    """
    loop, began = asyncio.get_running_loop(), time.monotonic()

    def tell() -> None:
        waited = time.monotonic() - began
        log.warning(f"waits for Kafka for {waited:.0f} s: {what}", *about)
        timers.append(loop.call_later(waited, tell))

    timers = [loop.call_later(_SILENT_S, tell)]
    try:
        yield
    finally:
        timers[-1].cancel()
        if len(timers) > 1:
            log.info(f"waited for Kafka for {time.monotonic() - began:.1f} s: {what}", *about)


async def start_with_backoff(client: Client, what: str, deadline: Deadline) -> None:
    """Start a client, again and again while Kafka cannot be reached, until the deadline.

    `what` names the client in the log and in the error. Raises `BrokerError` at the deadline, or at once
    if Kafka refuses us, or we its certificate. The client must be stopped by the caller then too: it may be
    half started.
    """
    wait, last = _FIRST_WAIT_S, "Kafka gave no answer in time"
    while True:
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await _start(client)
        except TimeoutError as error:
            raise _cannot_start(what, last) from error
        except KafkaError as error:
            if not error.retriable:
                raise BrokerError(f"Kafka refuses to start {what}: {cause(error)}") from error
            found = await diagnosis.of_start(client, error, min(deadline.remaining(), _LONGEST_WAIT_S))
            if found.final:
                raise BrokerError(f"cannot start {what}: {found.told}") from error
            if deadline.remaining() <= wait:
                raise _cannot_start(what, found.told) from error
            last = found.told
            log.warning("%s waits for Kafka, next attempt in %.1f s: %s", what, wait, last)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT_S)


async def _start(client: Client) -> None:
    """Start a client. Whoever cancels this waits a moment: for the first answer that the client waits for.

    aiokafka forgets a connection on which it is cancelled then, and its socket stays open.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    finally:
        if not starting.done():
            await asyncio.wait({starting}, timeout=_GRACE_S)
            starting.cancel()
            await asyncio.wait({starting}, timeout=_GRACE_S)
        if starting.done() and not starting.cancelled():
            starting.exception()  # whoever is cancelled takes no notice of it


def _cannot_start(what: str, cause: str) -> BrokerError:
    return BrokerError(
        f"cannot start {what}: {cause}. Is Kafka running there, and do the bootstrap servers and "
        "kafka.security fit?"
    )


async def bounded_stop(client: Client, seconds: float) -> None:
    """Stop a client in about `seconds`, at most two more; what it could not send by then is dropped.

    Never raises on account of Kafka: whoever stops can do nothing more about it, so it is logged.
    """
    stopping = asyncio.ensure_future(client.stop())
    try:
        await asyncio.wait({stopping}, timeout=seconds)
        if not stopping.done():
            log.warning("%s does not stop, Kafka does not answer: cut off", type(client).__name__)
            await _cut_off(client, stopping)
    finally:
        stopping.cancel()
    await asyncio.wait({stopping}, timeout=_GRACE_S)
    if stopping.done() and not stopping.cancelled() and (error := stopping.exception()) is not None:
        log.warning("%s did not stop cleanly: %r", type(client).__name__, error)


async def _cut_off(client: Any, stopping: asyncio.Future[None]) -> None:
    """End a `stop` that hangs; aiokafka has no public verb for it.

    An idempotent producer would try for ever to deliver what it holds. Everything else waits for answers,
    and does not when the connections are closed.
    """
    wire = getattr(client, "_client", None) or client.client
    sender = getattr(client, "_sender", None)
    grace = Deadline(_GRACE_S)
    while not stopping.done() and grace.remaining():
        if sender is not None and sender.sender_task is not None:
            sender.sender_task.cancel()  # the first cancels the sending, the next what it waits for then
        disconnecting = asyncio.ensure_future(_disconnect(wire))
        await asyncio.wait({stopping, disconnecting}, timeout=0.1)
    if sender is not None:
        _drop_unsent(client._message_accumulator)


async def _disconnect(wire: Any) -> None:
    """Close the connections without waiting until everything is written to them."""
    for connection in wire._conns.values():
        if connection._writer is not None:
            connection._writer.transport.abort()
    await wire.close()


def _drop_unsent(accumulator: Any) -> None:
    """Fail every batch that a producer still holds, in flight or not."""
    batches = {*accumulator._pending_batches, *chain.from_iterable(accumulator._batches.values())}
    accumulator._pending_batches |= batches  # where a batch that ends expects to find itself
    accumulator.fail_all(ProducerClosed())
    for batch in batches:
        batch._drain_waiter.exception()  # nobody waits for it any more
