"""Faults in the training process of a worker, planted through Python's own `sitecustomize`.

What is written into the file that `STREAM_LSTM_TEST_FAULT` names befalls the next fit; nothing, none.
"""

import os
import sys
from pathlib import Path

FAULT = "STREAM_LSTM_TEST_FAULT"

_SITECUSTOMIZE = """
import os, sys

if any("spawn_main" in argument for argument in sys.orig_argv):
    import signal, time
    from pathlib import Path

    fault = Path(os.environ["STREAM_LSTM_TEST_FAULT"])
    if fault.read_text() == "cannot start":
        os._exit(3)

    import numpy as np
    from stream_lstm.models import har

    fit_ridge = har.fit_ridge

    def broken(series, skip, wanted, *more):
        what = fault.read_text()
        if what == "raises":
            raise ZeroDivisionError("a planted bug")
        if what == "out of memory":
            np.ones(2**58)
        if what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hangs":
            time.sleep(1000)
        if what == "takes a minute":
            began = time.monotonic()
            while time.monotonic() - began < 60:
                np.linalg.inv(np.eye(200))
        ridge = fit_ridge(series, skip, wanted, *more)
        return ridge._replace(bias=ridge.bias * np.nan) if what == "not a number" else ridge

    har.fit_ridge = broken
"""


class Planted:
    """The faults of one worker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "planted"
        self._folder.mkdir()
        (self._folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        self._fault = self._folder / "fault"
        self.be("")

    @property
    def under(self) -> list[str]:
        """What comes before the worker's command."""
        path = os.pathsep.join([str(self._folder), *filter(None, sys.path)])
        return ["/usr/bin/env", f"PYTHONPATH={path}", f"{FAULT}={self._fault}"]

    def be(self, fault: str) -> None:
        """What befalls the fits from now on."""
        self._fault.write_text(fault)
