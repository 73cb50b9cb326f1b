"""Durations as people write them: `24h`, `90s`, `500ms`, or a number of seconds."""

import math
import re
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer

_SPELLING: Final = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?) *(ms|s|m|h|d)?", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(value: object) -> float:
    """Seconds of a duration: a number is seconds, a text has a unit of ms, s, m, h or d.

    Raises `ValueError` for anything else, for negative and for infinite durations.

    >>> seconds("24h"), seconds("1.5m"), seconds("500ms"), seconds("90"), seconds(3)
    (86400.0, 90.0, 0.5, 90.0, 3.0)
    """
    length = math.nan
    if isinstance(value, str):
        if match := _SPELLING.fullmatch(value):
            number, unit = float(match[1]), match[2] or "s"
            length = number / 1_000 if unit == "ms" else number * _SECONDS[unit]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        length = float(value)
    if not 0 <= length < math.inf:
        raise ValueError("it is no duration: write a number with ms, s, m, h or d, such as 24h or 500ms")
    return length


def shortest(length: float) -> str:
    """A duration in seconds as text that `seconds` reads as the same number.

    >>> shortest(86400.0), shortest(90.0), shortest(0.5), shortest(0.0)
    ('24h', '90s', '500ms', '0s')
    """
    for unit in "hm":
        if length and length % _SECONDS[unit] == 0:
            return f"{int(length // _SECONDS[unit])}{unit}"
    if length.is_integer():
        return f"{int(length)}s"
    thousands = round(length * 1_000)
    return f"{thousands}ms" if thousands / 1_000 == length else f"{length!r}s"


Duration: TypeAlias = Annotated[float, BeforeValidator(seconds), PlainSerializer(shortest)]
"""Seconds, zero or more."""
Timeout: TypeAlias = Annotated[Duration, Field(gt=0)]
"""Seconds, more than zero."""
