"""Asking an exchange again: how long to wait after which failure, and when to give up."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from typing import Final, TypeVar

import ccxt

from stream_lstm.errors import VenueError

T = TypeVar("T")

_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 60.0
_LONGEST_TOLD_S: Final = 3_600.0
_ATTEMPTS_TOLD: Final = 2
"""A request that fails once is no news, if it is not for long."""
_LONG_S: Final = 2.0
_TOO_MANY: Final = frozenset({418, 429})
_FOR_GOOD: Final = frozenset({400, 401, 404, 451})
"""Statuses that no repetition changes: a wrong address, a country that is not served."""


@dataclass(slots=True)
class _Answer:
    """Status and headers of an answer; ccxt's exceptions do not carry them."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


_LATEST: ContextVar[_Answer] = ContextVar("latest")


def note(status: int, headers: Mapping[str, str]) -> None:
    """To be called within a request with what came, whatever ccxt makes of it."""
    answer = _LATEST.get(None)
    if answer is not None:
        answer.status, answer.headers = status, headers


class Patience:
    """Repeats the requests to one exchange until they succeed, for at most `seconds` each.

    After a refusal for too many requests (429, 418) *all* wait, as long as `Retry-After` says or else longer
    each time; after a fault of the exchange or the network (5xx, time-outs, no connection) the one that
    failed. Whatever else the exchange says is an answer. `say` is told what is waited for.
    """

    def __init__(
        self, name: str, seconds: float = inf, say: Callable[[str], None] = lambda text: None
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._say = say
        self._held_until = 0.0

    async def ask(self, what: str, request: Callable[[], Awaitable[T]]) -> T:
        """The answer to `request`.

        Raises `VenueError` when the exchange refuses for good, or patience is at its end.
        """
        end, attempts = time.monotonic() + self._seconds, 0
        while True:
            await asyncio.sleep(max(0.0, self._held_until - time.monotonic()))
            _LATEST.set(came := _Answer())
            try:
                answer = await request()
            except ccxt.BaseError as error:
                if not _passes(error, came.status):
                    raise VenueError(f"{self._name} refuses ({what}): {_cause(error)}") from error
                attempts += 1
                wait = self._wait(error, attempts, came)
                if time.monotonic() + wait > end:
                    told = f"{self._name} does not answer ({what}), asked {attempts} times: {_cause(error)}"
                    raise VenueError(told) from error
                if attempts == _ATTEMPTS_TOLD or wait >= _LONG_S:
                    self._say(f"waits {wait:.0f} s for {self._name} ({what}): {_cause(error)}")
                await asyncio.sleep(wait)
            else:
                if attempts >= _ATTEMPTS_TOLD:
                    self._say(f"{self._name} answers again")
                return answer

    def _wait(self, error: ccxt.BaseError, attempts: int, came: _Answer) -> float:
        exponent = min(attempts - 1, 16)
        wait = min(_FIRST_WAIT_S * 2.0**exponent, _LONGEST_WAIT_S) * random.uniform(0.75, 1.25)
        if came.status in _TOO_MANY or isinstance(error, ccxt.DDoSProtection):
            wait = max(wait, retry_after(came.headers))
            self._held_until = max(self._held_until, time.monotonic() + wait)
        return wait


def _passes(error: ccxt.BaseError, status: int) -> bool:
    """Whether it may be different the next time. Some exchanges say in JSON why they are overloaded, which
    ccxt takes for a refusal: so the status decides, where there is one."""
    if status in _TOO_MANY or status >= 500:
        return True
    return isinstance(error, ccxt.NetworkError) and status not in _FOR_GOOD


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the headers of an answer ask to wait; 0 if they do not say.

    >>> retry_after({"Retry-After": "7"}), retry_after({})
    (7.0, 0.0)
    """
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return min(max(float(value), 0.0), _LONGEST_TOLD_S)
            except ValueError:  # a date: nobody in this trade sends one
                return 0.0
    return 0.0


def _cause(error: ccxt.BaseError) -> str:
    """What ccxt says, in a line of bearable length."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
