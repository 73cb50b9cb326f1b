"""A prediction: one message per series, closed candle and horizon. A field that is not known yet is null."""

from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from stream_lstm.contracts.forecast import Forecast
from stream_lstm.contracts.quantiles import price_at, probability_above
from stream_lstm.contracts.wire import EpochMs, Message, Name, Price, Share, length_ms

Fraction = Annotated[float, Field(ge=0, description="As a fraction of the last close: 0.01 is 1%.")]
Confidence = Annotated[float, Field(gt=0, lt=1, description="The coverage asked for.")]


_INTERVAL_SKILL: Final = (
    "1 - Winkler / Winkler(naive) over matured predictions; naive is EWMA(0.94) volatility times a running "
    "quantile of its own errors."
)


class PathPoint(Message):
    """The forecast for one later candle: lower bound < predicted price < upper bound."""

    timestamp: EpochMs = Field(description="Close time of that candle.")
    predicted_price: Price
    lower_bound: Price
    upper_bound: Price
    confidence: Confidence

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.lower_bound < self.predicted_price < self.upper_bound:
            raise ValueError(
                f"lowerBound {self.lower_bound}, predictedPrice {self.predicted_price}, "
                f"upperBound {self.upper_bound} must be in rising order"
            )
        return self


class Direction(Message):
    """Probabilities of ending below, within and above the neutral band around the last close; sum 1.

    Symmetric whenever the predicted price is the last close.
    """

    down: Share
    neutral: Share
    up: Share

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = self.down + self.neutral + self.up
        if abs(total - 1) > 1e-9:
            raise ValueError(f"down + neutral + up is {total!r}, it must be 1")
        return self


class Range(Message):
    """How far high and low will be apart over the horizon."""

    expected_pct: Fraction
    q90_pct: Fraction = Field(description="Exceeded one time in ten.")


class TechnicalIndicators(Message):
    """Indicators at the last close, prices in quote units."""

    rsi: Annotated[float, Field(ge=0, le=100)] | None
    macd: float | None
    ema20: Price | None
    ema50: Price | None
    bb_upper: float | None
    bb_lower: float | None


class Features(Message):
    """What the forecast was made from, as far as a reader may want it."""

    technical_indicators: TechnicalIndicators | None
    on_chain_metrics: dict[str, Any] = Field(description="Always empty: no such data is read.")
    sentiment_score: float = Field(description="Always 0: no such data is read.")
    market_regime: Literal["BULL", "BEAR", "SIDEWAYS"] | None
    volatility_regime: Literal["CALM", "NORMAL", "VOLATILE"] | None
    volatility: float | None = Field(ge=0, description="Parkinson, half-life 24 candles, per candle.")
    momentum: float | None = Field(description="Log return over 14 candles.")


class ModelInfo(Message):
    """Who answered, and how well it did lately on this series and horizon."""

    model_type: Name = Field(examples=["lstm", "hybrid"])
    model_id: str | None = Field(description="Hash of series, training time and configuration.")
    version: str | None
    last_trained: EpochMs | None = Field(description="Close time of the last candle it was trained on.")
    accuracy: float | None = Field(le=1, description="1 - MAPE over matured predictions.")
    confidence: Confidence
    skill: float | None = Field(le=1, description="1 - RMSE / RMSE(random walk); about 0 by nature.")
    interval_skill: float | None = Field(le=1, description=_INTERVAL_SKILL)
    coverage: Share | None = Field(description="Share of actual prices that were inside the interval.")
    stale: bool = Field(description="Its training has expired, and no successor is installed yet.")
    expires_at: EpochMs | None
    reason: str | None = Field(description="Why it is not the configured model, or extrapolated.")


class Prediction(Forecast):
    """The forecast of one horizon of one series."""

    last_close: Price
    predictions: tuple[PathPoint, ...] = Field(
        min_length=1, description="The path at every candle, thinned evenly; the horizon itself is last."
    )
    direction: Direction
    target_pct: Fraction = Field(description="Standard deviation of log(close at the horizon / lastClose).")
    valid_until: EpochMs = Field(description="asOf + interval: then the next candle has closed.")
    quantiles: dict[str, Price] = Field(
        description="Level to price, rising.", examples=[{"0.05": 64100.2, "0.5": 65512.0, "0.95": 66900.9}]
    )
    range: Range | None
    features: Features
    model_info: ModelInfo
    generated_at: EpochMs = Field(description="Wall clock of the worker; all that differs in a repeat.")

    def quantile(self, level: float) -> float:
        """The price that is exceeded with probability 1 − `level`, between 0.01 and 0.99.

        Raises `ValueError` for a level beyond the outermost of `quantiles`.
        """
        return price_at(self.quantiles, level)

    def probability_above(self, price: float) -> float:
        """The probability of ending above `price`, at most that of the outermost of `quantiles`."""
        return probability_above(self.quantiles, price)

    @field_validator("quantiles")
    @classmethod
    def _rise(cls, quantiles: dict[str, float]) -> dict[str, float]:
        levels = sorted((_level(name), price) for name, price in quantiles.items())
        for (level, price), (higher, price_there) in pairwise(levels):
            if price > price_there:
                raise ValueError(
                    f"the quantile at {level:g} is {price}, above that at {higher:g}: {price_there}"
                )
        return quantiles

    @model_validator(mode="after")
    def _leads_to_the_horizon(self) -> Self:
        times = [self.as_of, *(point.timestamp for point in self.predictions)]
        if any(earlier >= later for earlier, later in pairwise(times)):
            raise ValueError(f"the times of predictions do not rise from asOf on: {times}")
        horizon = self.as_of + length_ms(self.horizon)
        if times[-1] != horizon:
            raise ValueError(f"the last of predictions is for {times[-1]}, the horizon is {horizon}")
        valid = self.as_of + length_ms(self.interval)
        if self.valid_until != valid:
            raise ValueError(f"validUntil is {self.valid_until}, asOf + interval is {valid}")
        return self


def _level(name: str) -> float:
    try:
        level = float(name)
    except ValueError:
        level = 0.0
    if not 0 < level < 1:
        raise ValueError(f"{name!r} is no quantile level: it must be a number between 0 and 1")
    return level
