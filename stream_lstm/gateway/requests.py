"""What clients send. As in the original, fields that are not known are ignored."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from stream_lstm.contracts.wire import EpochMs, Length

_NAME = r"^[^\x00-\x1f\x7f]+$"
LONGEST = 200
MOST_SYMBOLS = 100
"""Symbols of one batch."""


def _no_boolean(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("it must be a number")
    return value


Number = Annotated[float, BeforeValidator(_no_boolean)]
Whole = Annotated[int, BeforeValidator(_no_boolean)]
Symbol = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST, pattern=_NAME, description="As the producer writes it."),
]
Exchange = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=LONGEST,
        pattern=_NAME,
        description="Where the symbol alone is not enough.",
    ),
]
Interval = Annotated[
    Length | None, Field(description="Length of a candle, where the symbol alone is not enough.")
]
SymbolInPath = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST,
        pattern=_NAME,
        description="Percent-encoded once; slashes may be.",
    ),
]
ExchangeInQuery = Annotated[
    str | None, Query(alias="exchange", min_length=1, max_length=LONGEST, pattern=_NAME)
]
IntervalInQuery = Annotated[Length | None, Query(alias="interval")]


class Asked(BaseModel):
    """The base of all bodies: camelCase, no NaN."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, allow_inf_nan=False
    )


class OfSeries(Asked):
    """A body about one series."""

    symbol: Symbol = Field(examples=["BTCUSDT"])
    exchange: Exchange = None
    interval: Interval = None


class PredictRequest(OfSeries):
    """Which forecast."""

    horizon: Length = Field(description="`1h`, `4h`, `1d`, `7d`, or another that is published.")
    confidence: Number = Field(default=0.95, ge=0.01, le=0.999, description="Coverage asked of the interval.")
    include_sentiment: bool = Field(default=True, strict=True, description="Echoed; no such data is read.")


class BatchRequest(Asked):
    """Which forecasts: one for each symbol."""

    symbols: tuple[Symbol, ...] = Field(min_length=1, max_length=MOST_SYMBOLS)
    horizon: Length
    confidence: Number = Field(default=0.95, ge=0.01, le=0.999)
    exchange: Exchange = None
    interval: Interval = None


class RegimeRequest(OfSeries):
    """Which regime."""

    lookback: Whole = Field(default=30, ge=1, le=365, description="Days.")


class CleanupRequest(Asked):
    """Which models are old. Nothing, or no body, is 30 days."""

    max_age_days: Number | None = Field(default=None, gt=0, le=36_500)
    older_than: EpochMs | None = Field(
        default=None,
        strict=True,
        description="Instead of maxAgeDays: those trained on candles before this moment.",
    )
    symbol: Symbol | None = None
    exchange: Exchange = None
    interval: Interval = None
    model_type: Exchange = Field(default=None, description="`LSTM`, `HYBRID`, … in any case.")
