"""Replies on their way out, and the work beside the loop that leads to them."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from stream_lstm.contracts.command import Command
from stream_lstm.errors import CommandRefused, StoreError
from stream_lstm.streaming.control.desk import Pending
from stream_lstm.streaming.encoding import Encoder
from stream_lstm.streaming.publisher import Publisher
from stream_lstm.streaming.telemetry import Telemetry

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Outbox:
    """Marks what it answers as worked on: it waits no more, and is forgotten when its reply is read back."""

    encoder: Encoder
    publisher: Publisher
    telemetry: Telemetry
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    def reply(self, one: Pending, data: dict[str, Any]) -> None:
        """Answer a command."""
        assert isinstance(one.command, Command)
        one.works = True
        command = one.command
        self.telemetry.commanded(command.command, "done")
        self.publisher.publish_soon(self.encoder.replies(one.key, command.command_id, command.command, data))

    def refuse(self, one: Pending, refused: CommandRefused, *, rejected: bool = False) -> None:
        """Say why a command is not done; `rejected` if nobody has even tried."""
        one.works = True
        id, name = one.command.command_id, one.command.command
        told = one.command.command if isinstance(one.command, Command) else "unreadable"
        self.telemetry.commanded(told, "rejected" if rejected else "refused")
        log.info("command %s (%s) is refused: %s", one.key, name, refused)
        self.publisher.publish_soon([self.encoder.refusal(one.key, id, name, refused, rejected=rejected)])

    def event(self, kind: str, data: dict[str, Any], about: str) -> None:
        """Say an event of now."""
        self.publisher.publish_soon([self.encoder.own(kind, data, about=about)])

    def answer_beside(self, one: Pending, work: Coroutine[Any, Any, None]) -> None:
        """Let `work` answer a command beside the loop; what it raises is the answer."""
        one.works = True

        async def answer() -> None:
            try:
                await work
            except CommandRefused as refused:
                self.refuse(one, refused)
            except StoreError as error:
                self.refuse(one, CommandRefused("STORE_UNAVAILABLE", str(error)))
            except Exception as error:  # whatever it is, silence is no answer
                log.exception("the command %s failed", one.key)
                told = f"a fault of the worker, its log says more: {error!r}"
                self.refuse(one, CommandRefused("INTERNAL_ERROR", told))

        self.beside(answer(), f"command {one.key}")

    def beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something beside the loop until it ends, or the worker."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel what runs: whoever leads next answers."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
