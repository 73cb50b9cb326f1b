"""Whether readers of one version's messages can read another's, told from the JSON Schemas alone.

What a worker sends is read by old readers and stays in the topics for new ones, so that it may only gain
fields that can be left out. What it receives may be loosened as well.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

RECEIVED: Final = frozenset({"candle", "command"})
"""Names of the schemas of what a worker only reads; all others are of what it sends."""
_LOWER_LIMITS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER_LIMITS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


def breaches(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[str]:
    """What breaks between two versions of `schemas()`, each with its place; empty if nothing does."""
    found = []
    for name, schema in old.items():
        if name in new:
            compared = _Comparison(schema, new[name], sent=name not in RECEIVED)
            found += [f"{name}{problem}" for problem in compared.breaches()]
        else:
            found.append(f"{name} is gone")
    return found


class _Comparison:
    """Of two versions of one schema."""

    def __init__(self, old: Schema, new: Schema, *, sent: bool) -> None:
        self._old, self._new, self._sent = old, new, sent

    def breaches(self) -> Iterator[str]:
        return self._any(self._old, self._new, "")

    def _any(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        olds, news = _by_type(old, self._old), _by_type(new, self._new)
        before, after = " or ".join(sorted(olds)), " or ".join(sorted(news))
        if olds.keys() - news.keys() or (self._sent and olds.keys() != news.keys()):
            yield f"{at} was {before}, is {after}"
        for type in sorted(olds.keys() & news.keys()):
            yield from self._same_type(olds[type], news[type], at)

    def _same_type(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        yield from self._members(old, new, at)
        yield from self._limits(old, new, at)
        yield from self._fields(old, new, at)
        for inner, sign in (("items", "[]"), ("additionalProperties", ".*")):
            before, after = old.get(inner), new.get(inner)
            if isinstance(before, dict) and isinstance(after, dict):
                yield from self._any(before, after, at + sign)
            elif before != after:
                yield f"{at}{sign} was {before}, is {after}"

    def _members(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        before, after = _members(old), _members(new)
        if before is None or after is None:
            if before is not after and (self._sent or before is None):
                yield f"{at} was one of {before}, is one of {after}"
            return
        yield from (f"{at} may not be {member!r} any more" for member in before if member not in after)
        if self._sent:
            yield from (
                f"{at} may be {member!r}, which old readers refuse"
                for member in after
                if member not in before
            )

    def _limits(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        for word in (*_LOWER_LIMITS, *_UPPER_LIMITS, "pattern"):
            before, after = old.get(word), new.get(word)
            if before != after and (self._sent or not _looser(word, before, after)):
                yield f"{at} had {word} {before}, has {after}"

    def _fields(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in before.items():
            if name not in after:
                yield f"{at}.{name} is gone"
                continue
            yield from self._any(schema, after[name], f"{at}.{name}")
            if name in needs - needed:
                yield f"{at}.{name} could be left out, is required"
            elif self._sent and name in needed - needs:
                yield f"{at}.{name} was always there, can be left out"
        yield from (f"{at}.{name} is new and required" for name in sorted(needs - before.keys()))


def _by_type(schema: Schema, root: Schema) -> dict[str, Schema]:
    """What a value may be, by type: a field that may be null has two."""
    parts = [_resolved(part, root) for part in schema.get("anyOf", [schema])]
    return {str(part.get("type", "anything")): part for part in parts}


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    resolved: Schema = root["$defs"][reference.removeprefix("#/$defs/")]
    return resolved


def _members(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _looser(word: str, before: Any, after: Any) -> bool:
    if before is None or after is None or word == "pattern":
        return after is None
    return bool(after < before if word in _LOWER_LIMITS else after > before)
