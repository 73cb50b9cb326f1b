"""The replies in `model-events`, by command: pages are joined, and the first complete one counts."""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from pydantic import ValidationError

from stream_lstm.contracts.reply import REJECTED, REPLY, Reply

log = logging.getLogger(__name__)

_MOST: Final = 10_000
_MOST_BYTES: Final = 32 * 1024 * 1024
_MARK: Final = b"command.re"
"""What every reply contains and hardly any other event: those are not even parsed."""


@dataclass(slots=True)
class _Answer:
    """What is known of the answer to one command."""

    pages: dict[str, dict[int, Reply]] = field(default_factory=dict)
    """By worker: those of different workers do not belong together."""
    complete: Reply | None = None
    size: int = 0


class Answers:
    """Takes the records of `model-events` in their order; remembers the newest 10,000 answers, or 32 MiB."""

    def __init__(self, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self.newest_ms: int | None = None
        """When the newest reply was given, by the clock of its worker; epoch ms."""
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: OrderedDict[str, _Answer] = OrderedDict()

    def get(self, command_id: str) -> Reply | None:
        """The answer to a command; None while there is no complete one."""
        known = self._known.get(command_id)
        return known.complete if known is not None else None

    def add(self, value: bytes | None) -> Reply | None:
        """Take the value of a record; returns the answer that it completes, joined from its pages."""
        reply = _reply(value)
        if reply is None or reply.correlation_id is None:
            return None
        self.newest_ms = max(reply.at, self.newest_ms or 0)
        answer = self._known.setdefault(reply.correlation_id, _Answer())
        if answer.complete is not None:
            return None
        pages = answer.pages.setdefault(reply.worker_id, {})
        if pages and next(iter(pages.values())).pages != reply.pages:
            pages.clear()  # it has begun anew, and its list has changed meanwhile
        pages.setdefault(reply.page, reply)
        self._account(answer, len(value or b""))
        if len(pages) < reply.pages:
            return None
        answer.complete, answer.pages = _joined(pages), {}
        return answer.complete

    def _account(self, answer: _Answer, size: int) -> None:
        answer.size += size
        self._bytes += size
        while len(self._known) > self._most or (self._bytes > self._most_bytes and len(self._known) > 1):
            _, oldest = self._known.popitem(last=False)
            self._bytes -= oldest.size


def _reply(value: bytes | None) -> Reply | None:
    """The reply that a record holds; None for every other event."""
    if value is None or _MARK not in value:
        return None
    try:
        body = orjson.loads(value)
        if not isinstance(body, dict) or body.get("type") not in (REPLY, REJECTED):
            return None
        return Reply.model_validate(body)
    except (orjson.JSONDecodeError, ValidationError) as error:
        log.warning("a reply that cannot be read is skipped: %s", " ".join(str(error).split())[:300])
        return None


def _joined(pages: Mapping[int, Reply]) -> Reply:
    """One reply of all pages: lists in `data` go on, everything else is that of the first."""
    first, *rest = (pages[number] for number in sorted(pages))
    data: dict[str, Any] = {
        name: list(value) if isinstance(value, list) else value for name, value in first.data.items()
    }
    for page in rest:
        for name, value in page.data.items():
            if isinstance(value, list):
                data.setdefault(name, []).extend(value)
    return first.model_copy(update={"data": data, "page": 1, "pages": 1})
