"""The commands that wait for their answers: each once, until a reply is in the log or it is too late."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from stream_lstm.contracts.command import Command, Unreadable
from stream_lstm.streaming.control.inbox import Arrived, Replied

DELETES: Final = frozenset({"delete-model", "cleanup-models"})
REMEMBERED: Final = 2.0
"""How long commands are read back and answers remembered, in times to live."""


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
        self.lasting: dict[str, Pending] = {}
        """Deletions that were done, for partitions that were nowhere then."""
        self._answered: dict[str, tuple[int, bool]] = {}
        self._pages: defaultdict[tuple[str, str], set[int]] = defaultdict(set)

    def arrive(self, arrived: Arrived, seen: float, now_ms: int) -> None:
        """Note a command; a repeat of one that waits or was answered is none."""
        key, command, at_ms = arrived
        if key in self.pending or key in self.lasting:
            return
        expires_ms = at_ms + self.ttl_ms
        if isinstance(command, Command):
            expires_ms = command.issued_at + self.ttl_ms
            if command.expires_at is not None:
                expires_ms = min(expires_ms, command.expires_at)
        one = Pending(key, command, seen, at_ms, expires_ms)
        if key not in self._answered:
            self.pending[key] = one
        elif self._answered[key][1] and _lasts(command):
            self.lasting[key] = one

    def reply(self, replied: Replied, now_ms: int) -> None:
        """Note a page of a reply: the command is answered when all pages of one worker are there."""
        pages = self._pages[replied.key, replied.worker_id]
        pages.add(replied.page)
        if len(pages) >= replied.pages:
            self._settle(replied.key, replied.success, now_ms)

    def _settle(self, key: str, success: bool, now_ms: int) -> None:
        """The first complete reply counts."""
        one = self.pending.pop(key, None)
        if one is not None and success and _lasts(one.command):
            self.lasting[key] = one
        self._answered.setdefault(key, (now_ms, success))
        for pages in [known for known in self._pages if known[0] == key]:
            del self._pages[pages]

    def forget(self, now_ms: int) -> None:
        """Forget what is so old that nobody reads it back."""
        oldest = now_ms - REMEMBERED * self.ttl_ms
        self._answered = {key: one for key, one in self._answered.items() if one[0] > oldest}
        self.pending = {key: one for key, one in self.pending.items() if one.at_ms > oldest - self.ttl_ms}
        self.lasting = {key: one for key, one in self.lasting.items() if one.at_ms > oldest - self.ttl_ms}


def _lasts(command: Command | Unreadable) -> bool:
    return isinstance(command, Command) and command.command in DELETES
