"""Writes docs/settings.md from the settings tree, and the table of docs/models.md from what was measured.

With --check it says whether they are what they should be.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stream_lstm.settings import Settings, describe
from stream_lstm.settings.description import FIELDS, is_secret, meaning
from stream_lstm.settings.inputs import Input

HERE: Final = Path(__file__).parent
SETTINGS: Final = HERE / "settings.md"
MODELS: Final = HERE / "models.md"
MEASURED: Final = HERE.parent / "benchmarks" / "results" / "forecasts.json"
HEAD: Final = """\
# Settings

<!-- Made by `make docs` from stream_lstm/settings: change it there. -->

Each is a line of a TOML file (`--config`), an environment variable, or `--set NAME=VALUE`; the later wins.
`kafka.group` is `STREAM_LSTM_KAFKA__GROUP`, or `group = "…"` under `[kafka]`. Times are a number and a unit
(`500ms`, `30s`, `5m`, `12h`, `7d`), or seconds. `stream-lstm config show` lists all of them with the value
that holds and where it comes from. What cannot be is refused at the start, with the way out.
"""
MEASURED_BLOCK: Final = re.compile(r"(<!-- measured -->\n).*(<!-- /measured -->\n)", re.DOTALL)
WORTH: Final = """\
| model | horizon | Winkler / unit | pinball / unit | skill | coverage | fit, s | forecast, µs |
|---|---|---|---|---|---|---|---|
"""
TABLE: Final = "| setting | default | meaning |\n|---|---|---|\n"


def page() -> str:
    """The whole page of settings."""
    defaults = {setting.name: setting.value for setting in describe(Settings())}
    parts = [HEAD]
    for title, told, names in sections():
        rows = "".join(
            f"| `{name}` | {default(name, defaults[name])} | {escaped(meaning(name))} |\n" for name in names
        )
        parts.append(f"## {title}\n\n{told}\n\n{TABLE}{rows}")
    rows = "".join(
        f"| `{name}` | {escaped(' '.join((field.description or '').split()))} |\n"
        for name, field in Input.model_fields.items()
    )
    told = (Input.__doc__ or "").strip().splitlines()[0]
    parts.append(f"## One of `inputs`\n\n{told}\n\n| field | meaning |\n|---|---|\n{rows}")
    return "\n".join(parts)


def sections() -> Iterator[tuple[str, str, list[str]]]:
    """Title, what it is about, and the settings of every section, those without one first."""
    yield "Of the whole", "Not in a table of the file.", [name for name in FIELDS if "." not in name]
    for prefix, section in tables(Settings):
        names = [name for name in FIELDS if name.rpartition(".")[0] == prefix]
        yield f"`[{prefix}]`", (section.__doc__ or "").strip().splitlines()[0], names


def tables(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section under one, by its dotted name."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield prefix + name, kind
            yield from tables(kind, f"{prefix}{name}.")


def default(name: str, value: str) -> str:
    """What holds when nobody has set it."""
    field: FieldInfo = FIELDS[name]
    if field.default_factory is not None:
        return "see there"  # it depends on where the program runs
    return f"`{escaped(value)}`" if value and not is_secret(name) else "not set"


def escaped(text: str) -> str:
    """As a cell of a table."""
    return text.replace("|", "\\|")


def models_page() -> str:
    """The page of models with the table that the result makes."""
    return MEASURED_BLOCK.sub(lambda block: block[1] + measured() + block[2], MODELS.read_text())


def measured() -> str:
    """How it was measured, and a table for each set of series."""
    result = json.loads(MEASURED.read_text())
    protocol, machine, blas = result["protocol"], result["machine"], result["blas"]
    judged = (
        f"judged from {protocol['from']} to {protocol['to']}, a fit every {protocol['retrain_days']} days"
    )
    kernel = f"OpenBLAS {blas['version']} ({blas['kernel']})"
    parts = [
        f"\nCandles of {protocol['interval']}, {judged}, {protocol['confidence']:.0%} asked.\n"
        f"Times: {machine['cpu']}, NumPy {machine['numpy']}, {kernel}, one thread.\n\n"
    ]
    rows = result["rows"]
    for symbols in dict.fromkeys(row["symbols"] for row in rows):
        cells = "".join(worth(row) for row in rows if row["symbols"] == symbols)
        parts.append(f"{symbols.replace(' ', ', ')}:\n\n{WORTH}{cells}\n")
    return "".join(parts)


def worth(row: dict[str, Any]) -> str:
    """One line of the table."""
    model, horizon = row["what"].split()
    skill = round(row["skill"], 4) + 0.0  # no minus before a zero
    numbers = (
        f"{row['winkler']:.4f} | {row['pinball']:.4f} | {skill:.4f} | {row['coverage']:.1%} | "
        f"{row['fit_s']:.2f} | {row['forecast_us']:.0f}"
    )
    return f"| `{model}` | {horizon} | {numbers} |\n"


def main(arguments: list[str]) -> int:
    """Exit code 1 if `--check` finds a page stale."""
    pages = {SETTINGS: page(), MODELS: models_page()}
    if "--check" not in arguments:
        for path, text in pages.items():
            path.write_text(text)
        return 0
    stale = [path.name for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if stale:
        print(f"{' and '.join(stale)} of docs: not what settings and results say; run `make docs`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
