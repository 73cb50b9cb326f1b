"""The whole verifier, as a process of its own: Kafka, workers, kills, and the comparison."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.kafka.test_embedded import topics_of


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_workers_under_three_kills_say_all_that_the_engine_says(tmp_path: Path) -> None:
    options = ["--workers", "2", "--kills", "3", "--series", "4", "--partitions", "3", "--candles", "160"]
    command = [sys.executable, "-m", "stream_lstm", "verify", "--seed", "7", "--json", *options]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sentence"] == "ALL-RECORDS-DELIVERED 1616/1616, 0 lost, 0 doubled"
    assert (found["kills"], found["first"]) == (3, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_existing_kafka_is_used_and_keeps_the_topics(kafka: str, tmp_path: Path) -> None:
    options = ["--workers", "1", "--kills", "1", "--series", "2", "--partitions", "1", "--candles", "130"]
    command = [sys.executable, "-m", "stream_lstm", "verify", "--seed", "3", "--json", "--bootstrap", kafka]
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as verifier:
        javas = set()
        while verifier.poll() is None:
            javas |= {one.pid for one in descendants(verifier.pid) if is_kafka(one)}
            with suppress(subprocess.TimeoutExpired):
                verifier.wait(0.2)
        assert verifier.stdout is not None
        assert verifier.stderr is not None
        said, steps = verifier.stdout.read(), verifier.stderr.read()
    assert verifier.returncode == 0, steps
    found = json.loads(said)
    assert found["sentence"].endswith("0 lost, 0 doubled")
    assert (found["kills"], found["first"]) == (1, None)
    assert javas == set(), "the Kafka that is there is enough"
    left = [name for name in asyncio.run(topics_of(kafka)) if name.startswith("verify-")]
    assert any(name.endswith(".predictions") for name in left)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", ["seed", "kill"], ids=["while Kafka starts", "among the blows"])
def test_a_ctrl_c_ends_everything_and_leaves_nothing(tmp_path: Path, moment: str) -> None:
    command = [sys.executable, "-m", "stream_lstm", "verify", "--seed", "3", "--workers", "2"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        start_new_session=True,
    ) as verifier:
        assert verifier.stderr is not None
        steps = iter(verifier.stderr.readline, "")
        assert any(moment in step for step in steps), "it is in the middle of that"
        time.sleep(1)
        left = descendants(verifier.pid)
        assert any(is_kafka(one) for one in left)
        os.killpg(verifier.pid, signal.SIGINT)
        verifier.communicate(timeout=60)
    assert verifier.returncode == 130
    _, alive = psutil.wait_procs(left, 10)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    assert list(tmp_path.iterdir()) == []


def is_kafka(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool({"kafka.Kafka", "kafka.tools.StorageTool"} & {*process.cmdline()})
    return False


def descendants(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []
