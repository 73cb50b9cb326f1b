"""A child process that ends when we end, however that happens."""

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

# Runs in the child before the program. A parent that died before `prctl` shows as another parent id.
_BIND: Final = """
import os, sys
if sys.platform == "linux":
    import ctypes
    PR_SET_PDEATHSIG, SIGKILL = 1, 9
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class BoundProcess:
    """A program that is killed at our end, its output in a file, or with None on our standard error.

    On Linux the kernel kills it, even if we were killed ourselves; elsewhere it ends with the interpreter.
    It has its own session, so that a Ctrl-C in the terminal is ours to answer. Methods may be called from
    any thread, and again after it has ended. The constructor raises `OSError` if it cannot be run.
    """

    def __init__(self, command: Sequence[str], output: Path | None) -> None:
        born: Future[subprocess.Popen[bytes]] = Future()
        # The kernel's signal comes when the *thread* that made the child ends: so this one stays with it.
        threading.Thread(target=_live, args=(command, output, born), name="child", daemon=True).start()
        self._process = born.result()
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -N after signal N."""
        return self._process.poll()

    def stop(self, seconds: float) -> None:
        """Ask it to end (SIGTERM); kill it if it has not ended in `seconds`."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL) and wait until it has."""
        self._process.kill()
        self._process.wait()
        atexit.unregister(self.kill)


def _live(command: Sequence[str], output: Path | None, born: Future[subprocess.Popen[bytes]]) -> None:
    """Start the program and stay with it to its end."""
    launcher = [sys.executable, "-I", "-S", "-c", _BIND, str(os.getpid())]
    try:
        with output.open("ab") if output is not None else nullcontext(2) as file:
            process = subprocess.Popen(
                [*launcher, *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        born.set_exception(error)
        return
    born.set_result(process)
    process.wait()
