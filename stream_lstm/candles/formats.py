"""What a producer's format is: how it is told, and how its messages become raw candles."""

from collections.abc import Callable, Iterable
from reprlib import repr as short
from typing import Any, NamedTuple, TypeAlias

from stream_lstm.candles import reasons
from stream_lstm.errors import BadCandle

Message: TypeAlias = dict[str, Any]
"""A decoded JSON object."""


class Pin(NamedTuple):
    """What an input fixes about its messages; wins over the body. None leaves it to the body."""

    format: str | None = None
    exchange: str | None = None
    interval: str | None = None


NO_PIN = Pin()


class Raw(NamedTuple):
    """One candle as it stands in a message, nothing checked yet; None where the field is absent.

    Times in any unit, prices and volume as numbers or numeric strings, ``closed`` a bool or None.
    """

    exchange: Any
    symbol: Any
    interval: Any
    open_time: Any
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any
    closed: Any = None
    event_time: Any = None
    end_time: Any = None
    """Where the message tells no open time, the end of the candle: it opened one interval before."""


class Format(NamedTuple):
    """A producer's format.

    ``recognises`` tells it from all others by the keys present and is asked for every message of a
    format that stands later in the registry: a few lookups. ``read`` is given recognised messages only and
    yields what it finds, row by row; a row that cannot be read is yielded as a `BadCandle`, a message
    that cannot be read raises one. ``accepts`` is asked instead where an input pins the format: it may take
    shapes that are too common to be told without.
    """

    name: str
    recognises: Callable[[Message], bool]
    read: Callable[[Message], Iterable[Raw | BadCandle]]
    accepts: Callable[[Message], bool] | None = None


def rows(message: Message, field: str) -> list[Any]:
    """The list that `field` holds. Raises `BadCandle` (``wrong_type``) if it holds something else."""
    found = message.get(field)
    if type(found) is not list:
        raise BadCandle(reasons.WRONG_TYPE, f"{field} is {short(found)}: it must be the list of candles")
    return found


def no_object(value: object) -> BadCandle:
    """What to yield for a row that should be a JSON object."""
    return BadCandle(reasons.WRONG_TYPE, f"{short(value)} stands where a candle's object should")
