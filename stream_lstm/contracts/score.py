"""A score: one final message per matured prediction, what was said at revision 0 and what came."""

from typing import Literal, Self

from pydantic import Field, model_validator

from stream_lstm.contracts.forecast import Forecast
from stream_lstm.contracts.wire import EpochMs, Name, Price, length_ms


class Score(Forecast):
    """What was said and what came; a later correction of a candle changes no score."""

    revision: Literal[0] = Field(description="Only the first revision of a prediction is scored.")
    target: EpochMs = Field(description="Close time of the candle that was predicted.")
    predicted_price: Price
    lower_bound: Price
    upper_bound: Price
    confidence: float = Field(gt=0, lt=1, description="The coverage asked for.")
    actual_price: Price
    error: float = Field(description="actualPrice - predictedPrice, in quote units.")
    inside: bool = Field(description="lowerBound <= actualPrice <= upperBound.")
    winkler: float = Field(ge=0, description="Winkler's interval score in quote units; lower is better.")
    model_type: Name
    model_id: str | None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        target = self.as_of + length_ms(self.horizon)
        if self.target != target:
            raise ValueError(f"target is {self.target}, asOf + horizon is {target}")
        if not self.lower_bound < self.predicted_price < self.upper_bound:
            raise ValueError("lowerBound, predictedPrice, upperBound must be in rising order")
        if self.inside != (self.lower_bound <= self.actual_price <= self.upper_bound):
            raise ValueError(f"inside is {self.inside}, and actualPrice and the bounds say the opposite")
        return self
