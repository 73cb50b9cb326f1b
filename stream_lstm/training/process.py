"""A process that fits models: spawned, niced, one BLAS thread, alive as long as its parent.

It reads jobs from a pipe; when the parent dies in whatever way, so does the process, even in a fit.
"""

import logging
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from threading import Lock, Thread
from typing import Final, NamedTuple

from threadpoolctl import threadpool_limits

from stream_lstm.errors import StreamLstmError, TrainingFailed
from stream_lstm.models.files import to_safetensors
from stream_lstm.models.live import Outcome
from stream_lstm.models.registry import fit_each
from stream_lstm.models.training_set import TrainingSet
from stream_lstm.observability import logging as logs
from stream_lstm.registry.models import ModelStore

log = logging.getLogger(__name__)

_SPAWN: Final = get_context("spawn")
_END_SECONDS: Final = 5.0
"""How long a killed process may take to be gone."""


class Fitted(NamedTuple):
    """The result of one training: where the model is, or why there is none."""

    path: str | None
    data: bytes | None
    """The model file, as it is in the store."""
    milliseconds: int
    """Share of the wall time of the fit."""
    error: str | None
    hopeless: bool = False
    """Whether the fit itself gave the error, so that the same candles give it again."""


class TrainingProcess:
    """One child process. Methods block and belong into threads; `kill` may come while `fit` waits."""

    def __init__(self, store_url: str, nice: int, keep_models: int, log_format: logs.Format = "text") -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        given = (theirs, store_url, nice, keep_models, log_format)
        self._process = _SPAWN.Process(target=serve, args=given, daemon=True)
        self._process.start()
        theirs.close()
        self._fitting = Lock()
        self.jobs = 0
        """Trainings done."""

    def fit(self, model_type: str, sets: Sequence[TrainingSet]) -> list[Fitted]:
        """Fit and save one model per set. Raises `TrainingFailed` if the process dies."""
        self.jobs += len(sets)
        try:
            with self._fitting:
                self._pipe.send((model_type, list(sets)))
                results: list[Fitted] = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join(_END_SECONDS)
            code = self._process.exitcode
            hint = "; if the kernel killed it, it lacked memory" if code == -signal.SIGKILL else ""
            raise TrainingFailed(
                f"the training process ended (exit code {code}) while it fitted "
                f"{', '.join(one.series for one in sets)}{hint}"
            ) from error
        return results

    def kill(self) -> None:
        """End it at once; a `fit` that waits raises."""
        self._process.kill()
        self._process.join(_END_SECONDS)
        if self._fitting.acquire(timeout=_END_SECONDS):  # not under the hands of who reads from it
            self._pipe.close()
            self._fitting.release()


def serve(pipe: Connection, store_url: str, nice: int, keep_models: int, log_format: logs.Format) -> None:
    """The child's main: fit what comes until the pipe ends, and keep the newest models of each series."""
    logs.configure(log_format, "warning")  # on the parent's standard error, so in the parent's form
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is the parent's business
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    os.nice(nice)
    store = ModelStore(store_url)
    with threadpool_limits(1):
        while True:
            try:
                model_type, sets = pipe.recv()
                pipe.send(_fit(model_type, sets, store))
                _prune(sets, store, keep_models)
            except (EOFError, OSError):
                return


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        wait([parent.sentinel])
        os._exit(1)


def _prune(sets: list[TrainingSet], store: ModelStore, keep_models: int) -> None:
    try:
        for data in sets:
            store.prune(data.series, keep_models)
    except StreamLstmError as error:
        log.warning("old models stay in the store: %s", error)


def _fit(model_type: str, sets: list[TrainingSet], store: ModelStore) -> list[Fitted]:
    """Fit all sets as stacks and save what came out; a failed one spoils no other."""
    began = time.perf_counter()
    outcomes = _outcomes(model_type, sets)
    each = int((time.perf_counter() - began) * 1000 / len(sets))
    return [_saved(outcome, each, store) for outcome in outcomes]


def _outcomes(model_type: str, sets: list[TrainingSet]) -> list[Outcome | MemoryError]:
    try:
        return [*fit_each(model_type, sets)]
    except MemoryError as error:  # of this process, and not of the candles
        return [error] * len(sets)
    except Exception as error:  # whatever a fit meets in one series, its mates get their models
        if len(sets) > 1:
            return [outcome for data in sets for outcome in _outcomes(model_type, [data])]
        log.exception("%s cannot be fitted", sets[0].series)
        return [TrainingFailed(f"{sets[0].series}: {error!r}")]


def _saved(outcome: Outcome | MemoryError, milliseconds: int, store: ModelStore) -> Fitted:
    if isinstance(outcome, MemoryError):
        told = f"the training process lacked memory: {outcome}; see training.processes and history.candles"
        return Fitted(None, None, milliseconds, told)
    if isinstance(outcome, TrainingFailed):
        return Fitted(None, None, milliseconds, str(outcome), hopeless=True)
    model = outcome.trained_in(milliseconds)
    data = to_safetensors(model)
    try:
        return Fitted(store.save(model.series, model.model_id, data), data, milliseconds, None)
    except StreamLstmError as error:
        return Fitted(None, None, milliseconds, str(error))
