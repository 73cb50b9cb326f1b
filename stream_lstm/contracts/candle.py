"""Our own format of a candle; other producers' formats are read as they are."""

from typing import Self

from pydantic import Field, model_validator

from stream_lstm.contracts.wire import EpochMs, OfSeries, Price, length_ms


class Candle(OfSeries):
    """One candle, forming or closed.

    ``closed`` only confirms: whether a candle is closed is decided by time and succession.
    """

    open_time: EpochMs
    close_time: EpochMs | None = Field(None, description="openTime + interval - 1, where it is given.")
    open: Price
    high: Price
    low: Price
    close: Price
    volume: float = Field(ge=0, description="In base units.")
    closed: bool | None = None
    event_time: EpochMs | None = Field(None, description="When this was so; else the record's time counts.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(
                f"open {self.open} and close {self.close} must be between low {self.low} and high {self.high}"
            )
        last = self.open_time + length_ms(self.interval) - 1
        if self.close_time is not None and self.close_time != last:
            raise ValueError(f"closeTime is {self.close_time}, openTime + interval - 1 is {last}")
        return self
