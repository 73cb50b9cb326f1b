import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stream_lstm.kafka.bound_process import BoundProcess

PARENT = """
import os, signal, sys, threading
from pathlib import Path
from stream_lstm.kafka.bound_process import BoundProcess

def start():
    child = BoundProcess(["/bin/sleep", "1000"], Path(sys.argv[1]))
    while {waits} and Path(f"/proc/{{child.pid}}/comm").read_text() != "sleep\\n":
        pass
    print(child.pid, flush=True)

{body}
"""
DEATHS = {
    "killed": "start(); signal.pause()",
    "ends normally": "start()",
    "raises": "start(); raise ValueError",
    "exits without clean-up": "start(); os._exit(1)",
    "started it in a thread that ended": (
        "thread = threading.Thread(target=start); thread.start(); thread.join(); signal.pause()"
    ),
}


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_dead(pid: int) -> None:
    end = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < end, f"process {pid} is alive"
        time.sleep(0.02)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a killed parent")
@pytest.mark.parametrize("waits", [True, False], ids=["when it runs", "at its birth"])
@pytest.mark.parametrize("body", DEATHS.values(), ids=DEATHS)
def test_a_child_does_not_survive_its_parent(body: str, waits: bool, output: Path) -> None:
    command = [sys.executable, "-c", PARENT.format(body=body, waits=waits), str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    wait_until_dead(child)


def test_the_end_of_the_thread_that_made_it_is_not_the_end_of_the_child(output: Path) -> None:
    made: list[BoundProcess] = []

    def make() -> None:
        made.append(BoundProcess(["/bin/sh", "-c", "echo runs; exec sleep 1000"], output))
        while not output.read_text():
            time.sleep(0.01)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    time.sleep(0.1)
    (child,) = made
    assert child.exit_code is None
    assert is_alive(child.pid)
    child.kill()
    assert not is_alive(child.pid)


def test_what_the_child_says_is_appended_to_its_file(output: Path) -> None:
    output.write_text("before\n")
    child = BoundProcess(["/bin/sh", "-c", "echo out; echo err >&2; exec sleep 1000"], output)
    while output.read_text().count("\n") < 3:
        time.sleep(0.01)
    child.kill()
    assert output.read_text() == "before\nout\nerr\n"


def test_a_child_that_will_not_stop_is_killed(output: Path) -> None:
    child = BoundProcess(["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], output)
    while not output.read_text():
        time.sleep(0.01)
    child.stop(seconds=0.1)
    assert child.exit_code == -signal.SIGKILL


def test_a_child_that_can_stop_is_not_killed(output: Path) -> None:
    child = BoundProcess(
        ["/bin/sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done"], output
    )
    while not output.read_text():
        time.sleep(0.01)
    child.stop(seconds=30)
    assert child.exit_code == 3
    child.stop(seconds=1)
    child.kill()


def test_a_program_that_is_not_there_shows_in_exit_code_and_file(output: Path) -> None:
    child = BoundProcess(["/nowhere/java"], output)
    while child.exit_code is None:
        time.sleep(0.01)
    assert "FileNotFoundError" in output.read_text()
    child.kill()
