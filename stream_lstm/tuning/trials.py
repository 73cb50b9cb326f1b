"""Trials side by side, in processes that have been given the course."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Final, Self

from threadpoolctl import threadpool_limits

from stream_lstm.errors import TrainingFailed
from stream_lstm.evaluation.course import Leg
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.tuning.search import GoesOn, Judge, Outcome, Search

ABREAST: Final = 4
"""Trials that a process walks with at once: four cost less than twice as much as one."""

_SPAWN: Final = get_context("spawn")
_PATIENCE_S: Final = 5.0


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What must not be left half done: Ctrl-C waits until the context ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Crew:
    """Up to `jobs` processes, some trials abreast in each. With one job they run here."""

    def __init__(self, search: Search, legs: Sequence[Leg], jobs: int) -> None:
        self._search, self._legs, self._jobs = search, legs, jobs
        self._hands: list[tuple[Any, Connection]] = []

    def __enter__(self) -> Self:
        if self._jobs > 1:
            for _ in range(self._jobs):
                here, there = _SPAWN.Pipe()
                process = _SPAWN.Process(target=_work, args=(there, self._search, self._legs), daemon=True)
                process.start()
                there.close()
                self._hands.append((process, here))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, connection in self._hands:
            connection.close()
            if kind is not None:  # nobody waits for the rest of a trial
                process.terminate()
        for process, _ in self._hands:
            process.join(_PATIENCE_S)
            if process.is_alive():
                process.kill()
                process.join()

    @property
    def room(self) -> int:
        """How many trials make a round."""
        return self._jobs * ABREAST

    def run(self, tried: Sequence[Hyperparameters], goes_on: GoesOn) -> list[Outcome]:
        """Try sets of hyper-parameters, `room` at most; aligned with them.

        Raises `TrainingFailed` if a process ends.
        """
        if not self._hands:
            with threadpool_limits(1):
                return Judge(self._search, self._legs).run(tried, goes_on)
        outcomes: dict[int, list[Outcome]] = {}
        parts = [tried[first : first + ABREAST] for first in range(0, len(tried), ABREAST)]
        connections = [connection for _, connection in self._hands[: len(parts)]]
        try:
            for connection, part in zip(connections, parts, strict=True):
                connection.send(part)
            while len(outcomes) < len(parts):
                left = [each for hand, each in enumerate(connections) if hand not in outcomes]
                for ready in wait(left):
                    hand = next(hand for hand, each in enumerate(connections) if each is ready)
                    told = connections[hand].recv()
                    if isinstance(told, list):
                        outcomes[hand] = told
                    else:
                        at, value = told
                        connections[hand].send(goes_on(hand * ABREAST + at, value))
        except (EOFError, ConnectionError):
            raise TrainingFailed(
                "a process of the search has ended before its trials, perhaps for want of memory: give "
                "fewer --jobs; the study can be gone on with"
            ) from None
        return [outcome for hand in range(len(parts)) for outcome in outcomes[hand]]


def _work(connection: Connection, search: Search, legs: Sequence[Leg]) -> None:
    """In a child: trials after trials, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this

    def goes_on(at: int, value: float | None) -> bool:
        connection.send((at, value))
        return bool(connection.recv())

    judge = Judge(search, legs)
    try:
        with threadpool_limits(1):
            while True:
                connection.send(judge.run(connection.recv(), goes_on))
    except (EOFError, ConnectionError):
        pass
