"""The whole verifier, as a process of its own: Kafka, workers, kills, and the comparison."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


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
