"""What the tree says about itself: for `config show`, for the documentation and for errors."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stream_lstm.settings.tree import Settings


class Setting(NamedTuple):
    """One setting. `value` is what `--set` takes, secrets masked; `source` a file, a variable, `default`."""

    name: str
    value: str
    source: str
    description: str


def describe(settings: Settings) -> list[Setting]:
    """Every setting with its value, who has set it and what it means.

    >>> describe(Settings())[5][:3]
    ('horizons', '["1h", "4h", "1d", "7d"]', 'default')
    """
    tree = settings.model_dump(mode="json", exclude_none=True)
    return [Setting(name, _text(_at(tree, name)), settings.source(name), meaning(name)) for name in FIELDS]


def meaning(name: str) -> str:
    """What a setting means, with its unit, in a line."""
    return " ".join((FIELDS[name].description or "").split())


def is_secret(name: str) -> bool:
    """Whether its value must never be shown."""
    return "SecretStr" in repr(FIELDS[name].annotation)  # also within Annotated and Optional


def _fields(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, field


FIELDS: Final = dict(_fields(Settings))
"""Every setting by its dotted name."""


def _at(tree: Mapping[str, Any], name: str) -> object:
    *sections, key = name.split(".")
    for section in sections:
        tree = tree[section]
    return tree.get(key)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
