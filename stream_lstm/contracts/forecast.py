"""What a prediction and its score have in common: who said it, about which series, and for when."""

from typing import Self

from pydantic import Field, model_validator

from stream_lstm.contracts.wire import EpochMs, Length, OfSeries


class Forecast(OfSeries):
    """One horizon of one series, as of the close of one candle."""

    id: str = Field(
        description="`exchange:symbol:interval:asOf:horizon`: a repeat has the same id and revision.",
        examples=["binance:BTCUSDT:1h:1728125999999:1d"],
    )
    revision: int = Field(ge=0, description="A higher one replaces a lower one.")
    horizon: Length = Field(description="How far ahead.", examples=["1d"])
    as_of: EpochMs = Field(description="Close time of the last candle that was known.")

    @model_validator(mode="after")
    def _named_by_its_id(self) -> Self:
        expected = f"{self.exchange}:{self.symbol}:{self.interval}:{self.as_of}:{self.horizon}"
        if self.id != expected:
            raise ValueError(
                f"id is {self.id!r}, and exchange, symbol, interval, asOf, horizon make {expected!r}"
            )
        return self
