"""Writes deploy/grafana/dashboards; with --check says which of them are not what this code makes."""

import sys
from pathlib import Path
from typing import Final

import freshness
import honesty
import one_series
import working
from grafana_foundation_sdk.cog.encoder import JSONEncoder

FOLDER: Final = Path(__file__).parents[1] / "dashboards"
BOARDS: Final = {
    "working": working.dashboard,
    "freshness": freshness.dashboard,
    "honesty": honesty.dashboard,
    "series": one_series.dashboard,
}


def main(arguments: list[str]) -> int:
    """Exit code 1 if `--check` finds a file that is stale, missing or nobody's."""
    made = {
        f"{name}.json": JSONEncoder(sort_keys=True, indent=2).encode(make().build()) + "\n"
        for name, make in BOARDS.items()
    }
    if "--check" not in arguments:
        for name, text in made.items():
            (FOLDER / name).write_text(text)
        return 0
    there = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    stale = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    for name in stale:
        print(
            f"deploy/grafana/dashboards/{name} is not what deploy/grafana/source makes: run `make dashboards`"
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
