"""What all messages share: camelCase on the wire, snake_case in Python, no NaN, unknown fields ignored."""

import re
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

EpochMs = Annotated[int, Field(ge=0, description="Epoch milliseconds, UTC.")]
Price = Annotated[float, Field(gt=0, description="In quote units.")]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]

_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,8})([smhdw])")

Length = Annotated[str, Field(pattern=rf"^{_LENGTH.pattern}$", examples=["1h", "7d"])]
"""An interval or a horizon: a count and a unit of s, m, h, d or w."""


class Message(BaseModel):
    """The base of everything that crosses a topic. Immutable; readers ignore what they do not know."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    @classmethod
    def from_json(cls, value: bytes | str) -> Self:
        """Read a message. Raises `ValueError` (pydantic's) that names every field that is wrong."""
        return cls.model_validate_json(value)

    def to_json(self) -> bytes:
        """The message as it goes to the topic."""
        return self.model_dump_json(by_alias=True).encode()


class OfSeries(Message):
    """What names a series."""

    exchange: Name = Field(description="Lower case.", examples=["binance"])
    symbol: Name = Field(description="As the producer writes it.", examples=["BTCUSDT"])
    interval: Length = Field(description="Length of a candle.", examples=["1h"])


def length_ms(length: str) -> int:
    """Milliseconds of an interval or a horizon.

    >>> length_ms("4h")
    14400000
    """
    match = _LENGTH.fullmatch(length)
    if match is None:
        raise ValueError(f"{length!r} is no length: write a count and a unit of s, m, h, d or w, such as 4h")
    return int(match[1]) * _UNITS_MS[match[2]]
