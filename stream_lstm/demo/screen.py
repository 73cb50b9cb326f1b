"""The demo on a terminal: what is being done on standard error, the live table on standard output."""

from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.status import Status

from stream_lstm.demo.stage import Summary
from stream_lstm.kafka.records import Header
from stream_lstm.terminal.board import Board
from stream_lstm.terminal.live_table import Latency, LiveTable


class Screen:
    """A viewer for `show.run`, and its `step`. A context manager that gives the terminal back.

    Without `live` nothing is written to standard output: for `--json`, and for what is no terminal.
    """

    def __init__(self, *, live: bool, out: Console | None = None, err: Console | None = None) -> None:
        self._err = err or Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._board = Board()
        self._table = LiveTable(self._board)
        console = out or Console(highlight=False)
        self._live = Live(self._table, console=console, auto_refresh=False) if live else None

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *error: object) -> None:
        self._end_status()
        if self._live is not None:
            self._live.stop()

    def step(self, text: str) -> None:
        """Say what is being done now; once the table is there, it says enough."""
        if self._live is not None and self._live.is_started:
            return
        if not self._err.is_terminal:
            self._err.print(f"{text} …")
        elif self._status is None:
            self._status = self._err.status(text)
            self._status.start()
        else:
            self._status.update(text)

    def offer(self, topic: str, value: bytes | None, headers: Iterable[Header] = ()) -> None:
        """Take a message into the table."""
        if self._live is not None:
            self._board.offer(topic, value, headers)

    def refresh(self, summary: Summary) -> None:
        """Draw the table."""
        if self._live is None:
            return
        p50, p99 = summary.latency_ms["p50"], summary.latency_ms["p99"]
        if p50 is not None and p99 is not None:
            self._table.latency = Latency(p50, p99)
        if not self._live.is_started:
            self._end_status()
            self._live.start()
        self._live.refresh()

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
