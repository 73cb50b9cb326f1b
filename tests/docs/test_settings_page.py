import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_is_what_the_settings_say() -> None:
    made = [sys.executable, "docs/generate.py", "--check"]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
