"""The thread outside the event loop that asks whether it still turns: a blocked loop cannot watch itself."""

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from stream_lstm.observability.progress import Progress

log = logging.getLogger(__name__)

_STOP_SECONDS: Final = 2.0


class Watchdog:
    """Asks every `interval_s`, tells the loop's lag, and calls `on_stuck` once when the worker is stuck.

    `call_soon` is the loop's `call_soon_threadsafe`; `on_stuck` runs in the watchdog's thread, where ending
    the process still works.
    """

    def __init__(
        self,
        progress: Progress,
        *,
        call_soon: Callable[[Callable[[], None]], object],
        on_lag: Callable[[float], None],
        on_stuck: Callable[[str], None],
        interval_s: float = 1.0,
    ) -> None:
        self._progress = progress
        self._call_soon = call_soon
        self._on_lag = on_lag
        self._on_stuck = on_stuck
        self._interval_s = interval_s
        self._asked_at: float | None = None
        self._stopped = Event()
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, in bounded time."""
        self._stopped.set()
        self._thread.join(_STOP_SECONDS)

    def look(self) -> str | None:
        """Once around: ask the loop unless it owes an answer; gives why the worker is stuck, or None."""
        if self._asked_at is None:
            self._asked_at = self._progress.clock()
            try:
                self._call_soon(self._answer)
            except RuntimeError:  # the loop is closed: the worker is ending by itself
                self._stopped.set()
                return None
        return self._progress.stuck()

    def _answer(self) -> None:
        """In the loop's thread."""
        if self._asked_at is not None:
            self._on_lag(self._progress.clock() - self._asked_at)
            self._asked_at = None
        self._progress.beat()

    def _watch(self) -> None:
        while not self._stopped.wait(self._interval_s):
            reason = self.look()
            if reason is not None:
                log.critical("stuck: %s", reason)
                self._on_stuck(reason)
                return
