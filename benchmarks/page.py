"""How soon the dashboard's page can be used: loads in a real Chromium that nobody looks into.

An attached debugger doubles the time that plotly takes to start, so the browser is given an address on its
command line and the page's marks are read from its own trace: `listed` when the first rows of the list are
there, `drawn` when the chart is; `cpu` is what the page's thread worked until then. A cold load has an empty
cache, a warm one that of the load before.
"""

import asyncio
import json
import os
import re
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

import report
from installation import HORIZONS, WARM_UP, Installation, installation, synthetic

from stream_lstm.kafka.bound_process import BoundProcess

_CHROMIUM: Final = "/usr/bin/chromium"
_SERIES: Final = 8
_CANDLES: Final = 400
_LOADS: Final = 5
_MARKS: Final = ("listed", "drawn")
_TARGET_MS: Final = 2_000.0
_SECONDS: Final = 12
"""From the start of a browser on, that it is watched."""


async def gateway(place: Installation) -> tuple[BoundProcess, str]:
    """A gateway that listens, and its address."""
    settings = {"kafka.bootstrap_servers": place.connection.bootstrap_servers, "http.port": "0"}
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    log = place.folder / "gateway.log"
    process = BoundProcess([sys.executable, "-m", "stream_lstm", "gateway", *options], log)
    async with asyncio.timeout(60):
        while not (found := re.search(r"gateway on (http://\S+:\d+)", log.read_text())):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.1)
    return process, f"{found[1]}/"


def load(url: str, profile: Path) -> dict[str, float]:
    """Milliseconds from the navigation to each mark, and of them those that its thread worked."""
    trace = profile / "trace.json"
    trace.unlink(missing_ok=True)
    switches = {
        "user-data-dir": profile,
        "window-size": "1440,900",
        "trace-startup": "blink.user_timing",
        "trace-startup-file": trace,
        "trace-startup-format": "json",
        "trace-startup-duration": _SECONDS,
    }
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command = [_CHROMIUM, *flags, *(f"--{name}={value}" for name, value in switches.items()), url]
    browser = BoundProcess(command, profile / "chromium.log")
    until = time.monotonic() + 3 * _SECONDS
    while (events := _events(trace)) is None and time.monotonic() < until:
        time.sleep(0.1)
    browser.stop(5)
    marks = {each["name"]: each for each in events or () if each["name"] in _MARKS}
    if missing := [name for name in _MARKS if name not in marks]:
        raise RuntimeError(f"not in the trace of {_SECONDS} s: {', '.join(missing)}")
    took = {name: float(marks[name]["args"]["data"]["startTime"]) for name in _MARKS}
    return took | {f"{name}_cpu": marks[name]["tts"] / 1000 for name in _MARKS}


def _events(trace: Path) -> list[Any] | None:
    """What a trace holds; None while it is not written."""
    try:
        return list(json.loads(trace.read_bytes())["traceEvents"])
    except (FileNotFoundError, ValueError):
        return None


async def measured(loads: int) -> list[dict[str, float]]:
    """Cold and warm loads in turn, after one that nobody counts: the gateway reads what was said so far."""
    market = synthetic(_SERIES, _CANDLES)
    async with installation(partitions=2) as place, place.worker() as worker:
        await place.feed(market)
        await place.until_said(_SERIES * HORIZONS * (_CANDLES - WARM_UP + 1), worker)
        process, url = await gateway(place)
        rows = []
        for number in range(loads + 1):
            profile = place.folder / f"profile-{number}"
            profile.mkdir()
            cold, warm = [await asyncio.to_thread(load, url, profile) for _ in range(2)]
            shutil.rmtree(profile)
            if number:
                rows.append(_named("cold", cold) | _named("warm", warm))
        await asyncio.to_thread(process.stop, 10)
    return rows


def _named(how: str, took: dict[str, float]) -> dict[str, float]:
    return {f"{how}_{name}": each for name, each in took.items()}


def main() -> None:
    asked = report.arguments(__doc__ or "")
    report.on_one_native_thread(pinned=False)
    told = report.Report("page")
    told.rows.append({"what": f"load average of the machine before it: {os.getloadavg()[0]:.1f}"})
    loads = asyncio.run(measured(2 if asked.quick else _LOADS))
    for name in loads[0]:
        times = sorted(round(each[name]) for each in loads)
        middle = statistics.median(times)
        told.rows.append(
            {
                "what": name.replace("_", " "),
                "loads": len(times),
                "median_ms": middle,
                "least_ms": times[0],
                "most_ms": times[-1],
            }
        )
        if name in ("cold_listed", "cold_drawn"):
            told.ratios[f"{name}_ms"] = report.Ratio(middle, _TARGET_MS, least=False)
    told.publish(asked.json)


if __name__ == "__main__":
    main()
