"""What rests on no offset: replies and the events of a worker, sent when there is time."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from typing import Final

from stream_lstm.errors import PartitionLost
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline
from stream_lstm.kafka.records import Record

log = logging.getLogger(__name__)

_LIMIT: Final = 10_000
_BACK_OFF: Final = (1.0, 30.0)  # seconds: first and longest pause after a failure


class Loose:
    """A queue in front of a producer: in order, again and again until acknowledged, the newest 10,000."""

    def __init__(self, producer: BatchProducer, timeout_s: float) -> None:
        """`timeout_s` bounds one attempt."""
        self.timeout_s = timeout_s
        self._producer = producer
        self._waiting: deque[Record] = deque()
        self._came = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._sending = 0

    def __len__(self) -> int:
        """Records that are not acknowledged yet."""
        return len(self._waiting) + self._sending

    def start(self) -> None:
        """Begin to send."""
        self._sender = asyncio.create_task(self._send_for_ever(), name="publish soon")

    async def stop(self, deadline: Deadline) -> None:
        """Send what waits, as far as the deadline allows."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        try:
            await self._send(deadline)
        except PartitionLost as error:
            log.error("%d events of this worker are not published: %s", len(self._waiting), error)

    def put(self, records: Iterable[Record]) -> None:
        """Queue records."""
        self._waiting.extend(records)
        self._drop_excess()
        self._came.set()

    async def _send_for_ever(self) -> None:
        pause, longest = _BACK_OFF
        while True:
            await self._came.wait()
            self._came.clear()
            try:
                await self._send(Deadline(self.timeout_s))
                pause = _BACK_OFF[0]
            except PartitionLost as error:
                told = "%d events of this worker wait, again in %g s: %s"
                log.warning(told, len(self._waiting), pause, error)
                self._came.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)

    async def _send(self, deadline: Deadline) -> None:
        """Send what waits; keep it, in its order, if that fails or is cancelled."""
        sending, self._waiting = self._waiting, deque()
        self._sending = len(sending)
        try:
            if sending:
                await self._producer.send(sending, deadline)
                sending = deque()
        finally:
            self._sending = 0
            self._waiting.extendleft(reversed(sending))
            self._drop_excess()

    def _drop_excess(self) -> None:
        excess = len(self._waiting) - _LIMIT
        if excess > 0:
            log.error("%d events of this worker are dropped: %d wait already", excess, _LIMIT)
            for _ in range(excess):
                self._waiting.popleft()
