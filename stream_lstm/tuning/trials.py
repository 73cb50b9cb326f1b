"""Trials side by side, each in a process of its own that has been given the course."""

import signal
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from threadpoolctl import threadpool_limits

from stream_lstm.errors import TrainingFailed
from stream_lstm.evaluation.course import Leg
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.tuning.search import Judge, Search

_SPAWN: Final = get_context("spawn")
_PATIENCE_S: Final = 5.0


class Outcome(NamedTuple):
    """What became of a trial: its value, or why it has none."""

    value: float | None
    """None for one that was given up or has failed."""
    failure: str | None = None


GoesOn = Callable[[int, float | None], bool]
"""Told the value of a trial after a lap, by the trial's place; whether the trial is to go on."""


class Crew:
    """Up to `jobs` trials at once. With one job they run here."""

    def __init__(self, search: Search, legs: Sequence[Leg], jobs: int) -> None:
        self._search, self._legs, self.jobs = search, legs, jobs
        self._hands: list[tuple[Any, Connection]] = []

    def __enter__(self) -> Self:
        if self.jobs > 1:
            for _ in range(self.jobs):
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

    def run(self, tried: Sequence[Hyperparameters], goes_on: GoesOn) -> list[Outcome]:
        """Try at most `jobs` sets of hyper-parameters; aligned with them.

        Raises `TrainingFailed` if a process ends.
        """
        if not self._hands:
            judge = Judge(self._search, self._legs)
            with threadpool_limits(1):
                return [_tried(judge, each, partial(goes_on, at)) for at, each in enumerate(tried)]
        outcomes: dict[int, Outcome] = {}
        connections = [connection for _, connection in self._hands[: len(tried)]]
        try:
            for connection, each in zip(connections, tried, strict=True):
                connection.send(each)
            while len(outcomes) < len(tried):
                left = [each for at, each in enumerate(connections) if at not in outcomes]
                for ready in wait(left):
                    at = next(at for at, each in enumerate(connections) if each is ready)
                    told = connections[at].recv()
                    if isinstance(told, Outcome):
                        outcomes[at] = told
                    else:
                        connections[at].send(goes_on(at, *told))
        except (EOFError, ConnectionError):
            raise TrainingFailed(
                "a process of the search has ended before its trial, perhaps for want of memory: give "
                "fewer --jobs; the study can be gone on with"
            ) from None
        return [outcomes[at] for at in range(len(tried))]


def _tried(judge: Judge, tried: Hyperparameters, goes_on: Callable[[float | None], bool]) -> Outcome:
    value = None
    try:
        for value in judge.values(tried):
            if not goes_on(value):
                return Outcome(None)
    except TrainingFailed as failure:
        return Outcome(None, str(failure))
    return Outcome(value, None if value is not None else "too few forecasts that can be judged")


def _work(connection: Connection, search: Search, legs: Sequence[Leg]) -> None:
    """In a child: trial after trial, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this

    def goes_on(value: float | None) -> bool:
        connection.send((value,))
        return bool(connection.recv())

    judge = Judge(search, legs)
    try:
        with threadpool_limits(1):
            while True:
                connection.send(_tried(judge, connection.recv(), goes_on))
    except (EOFError, ConnectionError):
        pass
