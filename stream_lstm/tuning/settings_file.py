"""A settings file with what was found, as `run --config` takes it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.settings import Settings, describe
from stream_lstm.settings.description import is_secret


def settings_file(
    settings: Settings, source: Path | None, model: str, found: Hyperparameters, told: Sequence[str]
) -> str:
    """TOML with a setting a line under the comments `told`.

    What the file `source` sets is taken over, but for secrets, which are only named.
    """
    lines = [f"# {line}".rstrip() for line in told]
    tree = settings.model_dump(mode="json", exclude_none=True)
    carried = {one.name: _at(tree, one.name) for one in describe(settings) if one.source == str(source)}
    for name in [name for name in carried if is_secret(name)]:
        del carried[name]
        lines.append(f"# {name} of {source} is secret, and not here: set it in the environment")
    carried |= {"model": model}
    carried |= {f"hyperparameters.{name}": value for name, value in found.given.items()}
    return "\n".join([*lines, *(f"{name} = {_toml(value)}" for name, value in carried.items()), ""])


def _at(tree: Mapping[str, Any], name: str) -> Any:
    for key in name.split("."):
        tree = tree[key]
    return tree


def _toml(value: Any) -> str:
    """A value as TOML; a text of JSON is one of TOML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
