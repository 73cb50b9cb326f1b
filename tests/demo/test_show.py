"""The whole demo, as a process of its own with a folder of its own for what is temporary."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_lstm.demo.show import Wanted
from stream_lstm.errors import EmbeddedKafkaError, SettingsError
from stream_lstm.kafka.kafka_jars import find_kafka
from tests.demo.test_market import write

_PROGRAM = """
import asyncio, json, sys
from dataclasses import asdict
from pathlib import Path
from stream_lstm.demo.show import Wanted, run

class Silent:
    def offer(self, topic, value, headers): pass
    def refresh(self, summary):
        if summary.seconds and summary.predictions: print("PLAYING", file=sys.stderr, flush=True)

arguments = json.loads(sys.argv[1])
arguments["files"] = [Path(path) for path in arguments.get("files", [])]
say = lambda text: print(text, file=sys.stderr, flush=True)
summary = asyncio.run(run(Wanted(**arguments), Silent(), say))
print(json.dumps(summary and asdict(summary)))
"""


class Demo:
    """The process, and what it says on standard error."""

    def __init__(self, folder: Path, arguments: dict[str, object]) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(folder)},
        )

    def wait_for(self, line: str) -> None:
        assert self.process.stderr
        for said in self.process.stderr:
            if line in said:
                return
        pytest.fail(f"ended without saying {line!r}")

    def end(self) -> tuple[dict[str, object] | None, str]:
        """Its summary and what else it said; it has ended well."""
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        summary: dict[str, object] | None = json.loads(out)
        return summary, err

    def processes(self) -> list[str]:
        """Process id and command of what runs in our folder."""
        running = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True)
        return [line for line in running.stdout.splitlines() if str(self.folder) in line]

    def left_behind(self) -> list[str]:
        """Processes and files."""
        return self.processes() + [path.name for path in self.folder.iterdir()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    try:
        find_kafka()
    except EmbeddedKafkaError as error:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no Kafka, which is a failure in CI: {error}")
        pytest.skip(f"no Kafka: {error}")
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return [str(write(tmp_path, symbol, range(240))) for symbol in ("A", "B")]


@pytest.fixture
def demo(folder: Path) -> Iterator[list[Demo]]:
    started: list[Demo] = []
    yield started
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.mark.slow
def test_files_are_played_to_their_end_and_nothing_stays(
    folder: Path, files: list[str], demo: list[Demo]
) -> None:
    demo.append(Demo(folder, {"files": files, "speed": 60}))
    summary, _ = demo[0].end()
    assert summary is not None
    assert summary["preloaded"] == summary["candles"] == 240
    assert summary["predictions"] == 4 * 240
    assert summary["dead_letters"] == 0
    assert isinstance(summary["scores"], int)
    assert summary["scores"] >= 2 * 240
    assert demo[0].left_behind() == []


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_told_to_stop_in_the_middle_it_says_what_came_of_it_and_leaves_nothing(
    folder: Path, files: list[str], demo: list[Demo], number: signal.Signals
) -> None:
    demo.append(Demo(folder, {"files": files, "speed": 2}))
    demo[0].wait_for("PLAYING")
    assert len(demo[0].processes()) >= 2  # Kafka and the worker
    demo[0].process.send_signal(number)
    summary, _ = demo[0].end()
    assert summary is not None
    assert summary["predictions"] == 4 * int(str(summary["candles"])) > 0
    assert demo[0].left_behind() == []


@pytest.mark.slow
def test_the_death_of_the_worker_ends_it_with_the_workers_last_words(
    folder: Path, files: list[str], demo: list[Demo]
) -> None:
    demo.append(Demo(folder, {"files": files, "speed": 2}))
    demo[0].wait_for("PLAYING")
    (worker,) = [line for line in demo[0].processes() if "stream_lstm run" in line]
    os.kill(int(worker.split()[0]), signal.SIGKILL)
    _, err = demo[0].process.communicate(timeout=60)
    assert demo[0].process.returncode == 1
    assert "the worker ended with exit code -9. Its last words:" in err
    assert "assigned 3 partitions" in err
    assert demo[0].left_behind() == []


@pytest.mark.slow
def test_told_to_stop_while_it_starts_it_leaves_nothing(
    folder: Path, files: list[str], demo: list[Demo]
) -> None:
    demo.append(Demo(folder, {"files": files}))
    demo[0].wait_for("Starting Kafka")
    demo[0].process.send_signal(signal.SIGINT)
    summary, err = demo[0].end()
    assert summary is None
    assert "PLAYING" not in err
    assert demo[0].left_behind() == []


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"speed": -1}, {"series": 0}, {"series": 10_000}])
def test_what_cannot_be_shown_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=r"--(for|speed|series) -?\d"):
        Wanted(**wrong)
