"""A gateway beside a worker: a process of its own, so that neither holds the other up."""

import logging
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from stream_lstm.kafka.bound_process import BoundProcess

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.5
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_STOP_SECONDS: Final = 5.0


class Beside:
    """`stream-lstm gateway` with these arguments for as long as the context, started again if it ends.

    It logs to our standard error, and never outlives us. A thread looks after it.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", "stream_lstm", "gateway", *arguments]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="gateway", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _keep(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._end.is_set():
            process = BoundProcess(self._command, None)
            while process.exit_code is None and not self._end.wait(_LOOK_SECONDS):
                pass
            if not self._end.is_set():
                log.error("the gateway has ended with exit code %s, again in %g s", process.exit_code, pause)
                self._end.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            process.stop(_STOP_SECONDS)
