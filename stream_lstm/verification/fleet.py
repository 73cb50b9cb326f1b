"""The worker processes of a chaos, by number."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stream_lstm.errors import StreamLstmError
from stream_lstm.streaming.worker_process import WorkerProcess

_TRAINER = "spawn_main"


class Fleet:
    """An async context manager that leaves no process behind."""

    def __init__(self, settings: Mapping[str, object], folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.workers: dict[int, WorkerProcess] = {}
        """Those that run, frozen or not."""

    async def __aenter__(self) -> "Fleet":
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.gather(*(worker.kill() for worker in self.workers.values()))

    def start(self, number: int) -> None:
        """Start a worker; its log is `worker-<number>.log`."""
        worker = WorkerProcess(self.settings, self.folder / f"worker-{number}.log")
        worker.start()
        self.workers[number] = worker

    async def kill(self, number: int) -> None:
        """End a worker as a power cut would."""
        await self.workers.pop(number).kill()

    async def stop(self, number: int) -> None:
        """Tell a worker to stop, and wait until it has."""
        await self.workers.pop(number).stop()

    async def stop_all(self) -> None:
        """Tell all workers to stop."""
        await asyncio.gather(*(self.stop(number) for number in [*self.workers]))

    def freeze(self, number: int) -> None:
        """Stop a worker's clock (SIGSTOP): it will not know how long it was away."""
        os.kill(self.workers[number].pid, signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Let it go on where it was."""
        os.kill(self.workers[number].pid, signal.SIGCONT)

    def kill_trainers(self, number: int) -> int:
        """Kill the training processes of a worker; how many there were."""
        asked = ["ps", "-ww", "-eo", "pid=,ppid=,args="]
        running = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout
        killed = 0
        for line in running.splitlines():
            pid, parent, args = line.split(None, 2)
            if int(parent) == self.workers[number].pid and _TRAINER in args:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
                    killed += 1
        return killed

    def check(self) -> None:
        """Raises `StreamLstmError` if a worker has ended that nobody told to."""
        for number, worker in self.workers.items():
            if (code := worker.exit_code) is not None:
                words = worker.last_words()
                raise StreamLstmError(f"worker {number} ended by itself, exit code {code}:\n{words}")
