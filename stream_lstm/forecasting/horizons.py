"""Horizons: how far ahead a forecast looks, by name (`4h`) and in candles of a series."""

import re
from typing import Final, NamedTuple

from stream_lstm.errors import SettingsError

_UNITS_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SPELLING: Final = re.compile(r"([1-9][0-9]{0,5})([mhdw])")


class Horizon(NamedTuple):
    """One horizon of a series: its name on the wire and its length in candles of that series."""

    name: str
    steps: int


def horizon_ms(name: str) -> int:
    """Length of a horizon in milliseconds.

    >>> horizon_ms("4h")
    14400000
    """
    match = _SPELLING.fullmatch(name)
    if match is None:
        raise SettingsError(
            f"horizon {name!r} is none: write a count and a unit of m, h, d or w, such as 4h or 7d"
        )
    return int(match[1]) * _UNITS_MS[match[2]]


def horizons_of(names: tuple[str, ...], step_ms: int, max_steps: int) -> tuple[Horizon, ...]:
    """The horizons that a series of interval `step_ms` publishes, shortest first.

    One that is shorter than the interval, no multiple of it, or longer than `max_steps` candles is left out.

    >>> horizons_of(("1h", "4h", "1d"), 14_400_000, 2_016)
    (Horizon(name='4h', steps=1), Horizon(name='1d', steps=6))
    """
    lengths = {name: horizon_ms(name) for name in names}
    fitting = {name: length // step_ms for name, length in lengths.items() if length % step_ms == 0}
    return tuple(
        Horizon(name, steps)
        for name, steps in sorted(fitting.items(), key=lambda pair: pair[1])
        if 1 <= steps <= max_steps
    )
