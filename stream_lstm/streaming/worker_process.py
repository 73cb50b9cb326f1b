"""A worker as a process of its own: `stream-lstm run` with its log in a file."""

import asyncio
import json
import re
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stream_lstm.errors import StreamLstmError
from stream_lstm.kafka.bound_process import BoundProcess
from stream_lstm.streaming.ends import until

_ADDRESS: Final = re.compile(r"health and metrics on (http://\S+)")
_STOP_SECONDS: Final = 15.0
_TOLD_LINES: Final = 15


class WorkerProcess:
    """Runs from the `async with` to its end, and never longer than this process.

    `settings` are those that differ from the defaults, by name; they go over those of a `config` file.
    """

    def __init__(self, settings: Mapping[str, object], log: Path, config: Path | None = None) -> None:
        self.log = log
        self._config = config
        self._settings = settings
        self._process: BoundProcess | None = None

    async def __aenter__(self) -> "WorkerProcess":
        self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Start it, once; for those who do not know with which `async with` it will end."""
        command = [sys.executable, "-m", "stream_lstm", "run"]
        if self._config is not None:
            command += ["--config", str(self._config)]
        for name, value in self._settings.items():
            text = value if isinstance(value, str) else json.dumps(value)
            command += ["--set", f"{name}={text}"]
        self._process = BoundProcess(command, self.log)

    async def stop(self) -> None:
        """Tell it to stop, and kill it if it does not."""
        assert self._process is not None
        await asyncio.to_thread(self._process.stop, _STOP_SECONDS)

    async def kill(self) -> None:
        """End it at once (SIGKILL), frozen or not."""
        assert self._process is not None
        await asyncio.to_thread(self._process.kill)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -N after signal N."""
        assert self._process is not None
        return self._process.exit_code

    async def ended(self) -> None:
        """Wait for as long as it lives. Raises `StreamLstmError` with the last lines of its log."""
        assert self._process is not None
        process = self._process
        await until(lambda: process.exit_code is not None)
        code, words = process.exit_code, self.last_words()
        raise StreamLstmError(f"the worker ended with exit code {code}. Its last words:\n{words}")

    @property
    def address(self) -> str | None:
        """Where it serves its metrics, `http://host:port`; None until it has said so."""
        found = _ADDRESS.search(self._text())
        return found[1] if found else None

    def last_words(self) -> str:
        """The last lines of its log."""
        return "\n".join(deque(self._text().splitlines(), _TOLD_LINES)) or "(none)"

    def _text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""
