"""What every benchmark shares: one native BLAS thread, fair rounds, a ratio table, and the JSON beside it."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_info

RESULTS: Final = Path(__file__).parent / "results"

_OVERRIDES: Final = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Workarounds for an older OpenBLAS, which cost half of the speed where they are not needed."""
_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}

Row = dict[str, str | int | float | None]


class Ratio(NamedTuple):
    """A claim: what was measured, and the least that it should be (or the most)."""

    value: float
    target: float
    least: bool = True

    @property
    def met(self) -> bool:
        """Whether the target was reached."""
        return self.value >= self.target if self.least else self.value <= self.target


class Timing(NamedTuple):
    """Seconds of one contender: medians over the rounds."""

    cpu: float
    """Of this process, all of its threads."""
    wall: float


@dataclass
class Report:
    """Rows and ratios of one benchmark, filled by its script and published once."""

    name: str
    rows: list[Row] = field(default_factory=list)
    ratios: dict[str, Ratio] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)
    """What else the result must tell to be understood."""

    def publish(self, path: Path | None) -> None:
        """Print both tables and write `results/NAME.json`, or the given file."""
        machine, blas = describe_machine(), describe_blas()
        console = Console(width=None if sys.stdout.isatty() else 160)
        console.print(f"[bold]{self.name}[/bold]  " + ", ".join(map(str, machine.values())))
        console.print("BLAS: " + ", ".join(f"{name} {value}" for name, value in blas.items()))
        console.print(_row_table(self.rows))
        console.print(_ratio_table(self.ratios))
        whole = {
            "machine": machine,
            "blas": blas,
            **self.more,
            "rows": self.rows,
            "ratios": {name: ratio.value for name, ratio in self.ratios.items()},
        }
        target = path or RESULTS / f"{self.name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(whole, indent=2) + "\n")
        console.print(f"written to {target}")


def arguments(description: str) -> argparse.Namespace:
    """`json` (a Path or None) and `quick`, as every benchmark takes them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="file for the result (benchmarks/results/NAME.json)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: to see that it runs")
    return parser.parse_args()


def on_one_native_thread(*, pinned: bool = True) -> None:
    """Run this script again, unless it has one BLAS thread and the kernel that OpenBLAS chooses.

    Then, unless not to be `pinned` (to leave the processes that it starts their choice), stay on one core.
    """
    if any(name in os.environ for name in _OVERRIDES) or _ONE_THREAD.items() - os.environ.items():
        kept = {name: value for name, value in os.environ.items() if name not in _OVERRIDES}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept | _ONE_THREAD)
    if pinned and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def interleaved(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Medians of each contender over rounds in which all of them run in turn, after one to warm up."""
    taken: dict[str, list[Timing]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            if turn:
                taken[name].append(Timing(time.process_time() - cpu, time.perf_counter() - wall))
    return {
        name: Timing(median(each.cpu for each in all_), median(each.wall for each in all_))
        for name, all_ in taken.items()
    }


def describe_machine() -> dict[str, str | int | float]:
    """Processor, cores, system, Python, NumPy, and the load of the last five minutes."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load": round(os.getloadavg()[1], 1) if hasattr(os, "getloadavg") else "unknown",
    }


def describe_blas() -> dict[str, str | int]:
    """The BLAS that NumPy runs on: library, version, the kernel it chose, threads."""
    for library in threadpool_info():
        if library["user_api"] == "blas" and "numpy" in library["filepath"]:
            return {
                "library": library["internal_api"],
                "version": library["version"] or "unknown",
                "kernel": library.get("architecture", "unknown"),
                "threads": library["num_threads"],
            }
    return {"library": "unknown", "version": "unknown", "kernel": "unknown", "threads": 0}


def _cpu_model() -> str:
    """As the kernel names it, with family and model where there are any: names can be vague."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    pairs = (line.partition(":") for line in lines)
    known = {name.strip(): value.strip() for name, _, value in pairs}
    name = known.get("model name", platform.machine())
    return f"{name} family {known['cpu family']} model {known['model']}" if "cpu family" in known else name


def _row_table(rows: Sequence[Row]) -> Table:
    table = Table()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for column in columns:
        table.add_column(column.replace("_", " "), justify="left" if column == "what" else "right")
    for row in rows:
        table.add_row(*(_shown(row.get(column)) for column in columns))
    return table


def _ratio_table(ratios: Mapping[str, Ratio]) -> Table:
    table = Table("ratio")
    for column in ("measured", "target", "met"):
        table.add_column(column, justify="right")
    for name, ratio in ratios.items():
        sign = "≥" if ratio.least else "≤"
        met = "[green]yes[/green]" if ratio.met else "[red]no[/red]"
        table.add_row(name, f"{ratio.value:.3g}", f"{sign} {ratio.target:g}", met)
    return table


def _shown(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
