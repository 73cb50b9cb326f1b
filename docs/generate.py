"""Writes docs/settings.md from the settings tree; with --check says whether it is what the tree says."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stream_lstm.settings import Settings, describe
from stream_lstm.settings.description import FIELDS, is_secret, meaning
from stream_lstm.settings.inputs import Input

PAGE: Final = Path(__file__).parent / "settings.md"
HEAD: Final = """\
# Settings

<!-- Made by `make docs` from stream_lstm/settings: change it there. -->

Each is a line of a TOML file (`--config`), an environment variable, or `--set NAME=VALUE`; the later wins.
`kafka.group` is `STREAM_LSTM_KAFKA__GROUP`, or `group = "…"` under `[kafka]`. Times are a number and a unit
(`500ms`, `30s`, `5m`, `12h`, `7d`), or seconds. `stream-lstm config show` lists all of them with the value
that holds and where it comes from. What cannot be is refused at the start, with the way out.
"""
TABLE: Final = "| setting | default | meaning |\n|---|---|---|\n"


def page() -> str:
    """The whole page."""
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


def main(arguments: list[str]) -> int:
    """Exit code 1 if `--check` finds the page stale."""
    if "--check" not in arguments:
        PAGE.write_text(page())
        return 0
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    print("docs/settings.md is not what the settings say: run `make docs`")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
