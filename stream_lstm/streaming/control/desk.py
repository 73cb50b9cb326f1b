"""The commands that wait for their answers: each once, until a reply is in the log or it is too late."""

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from stream_lstm.contracts.command import Command, Unreadable
from stream_lstm.streaming.control.inbox import Arrived, Replied

log = logging.getLogger(__name__)

REMEMBERED: Final = 2.0
"""How long commands are read back and answers remembered, in times to live."""
MOST: Final = 10_000
"""Commands that wait at most; who sends more is not answered."""


@dataclass(slots=True)
class Pending:
    """A command that nobody has answered yet, as far as is known."""

    key: str
    command: Command | Unreadable
    seen: float
    """When it was read, `time.monotonic`."""
    at_ms: int
    expires_ms: int
    works: bool = False
    """Whether this worker is answering it."""


class Desk:
    """Commands by the key of their replies. Times in epoch ms, unless they are called `seen`."""

    def __init__(self, ttl_ms: int) -> None:
        self.ttl_ms = ttl_ms
        self.pending: dict[str, Pending] = {}
        self._answered: dict[str, int] = {}
        self._pages: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)  # when each was read
        self._is_full = False

    def arrive(self, arrived: Arrived, seen: float, now_ms: int) -> None:
        """Note a command; a repeat of one that waits or was answered is none."""
        key, command, at_ms = arrived
        if key in self.pending or key in self._answered:
            return
        if len(self.pending) >= MOST:
            if not self._is_full:
                log.error("%d commands wait: those that come now are not answered", MOST)
            self._is_full = True
            return
        self._is_full = False
        expires_ms = at_ms + self.ttl_ms
        if isinstance(command, Command):
            expires_ms = command.issued_at + self.ttl_ms
            if command.expires_at is not None:
                expires_ms = min(expires_ms, command.expires_at)
        self.pending[key] = Pending(key, command, seen, at_ms, expires_ms)

    def reply(self, replied: Replied, now_ms: int) -> None:
        """Note a page of a reply: the command is answered when all pages of one worker are there."""
        pages = self._pages[replied.key, replied.worker_id]
        pages[replied.page] = now_ms
        if len(pages) >= replied.pages:
            self.pending.pop(replied.key, None)
            self._answered[replied.key] = now_ms
            for done in [known for known in self._pages if known[0] == replied.key]:
                del self._pages[done]

    def forget(self, now_ms: int) -> None:
        """Forget what is so old that nobody reads it back."""
        oldest = now_ms - REMEMBERED * self.ttl_ms
        self._answered = {key: at for key, at in self._answered.items() if at > oldest}
        self.pending = {key: one for key, one in self.pending.items() if one.at_ms > oldest - self.ttl_ms}
        for key in [key for key, pages in self._pages.items() if max(pages.values()) <= oldest]:
            del self._pages[key]  # of a worker that died between two pages
