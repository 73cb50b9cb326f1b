"""From arrays over series to one message per series and horizon."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.distribution import Distribution, path_half_width, path_location
from stream_lstm.forecasting.messages import Answer, Answers
from stream_lstm.forecasting.outputs import Prediction
from stream_lstm.forecasting.paths import PathPlan, path_plan
from stream_lstm.forecasting.ranges import RangeForecast
from stream_lstm.forecasting.regimes import Regime
from stream_lstm.forecasting.scoring import prices
from stream_lstm.forecasting.track_record import Record

Floats = NDArray[np.float64]
Index = NDArray[np.intp]


class Numbers(NamedTuple):
    """What was forecast for S series, and what is told beside it."""

    close: Floats
    """(S,) last close."""
    forecast: Distribution
    heads: NDArray[np.intp]
    """(S,) leading horizons with a head of their own."""
    record: Record
    volatility: Floats
    """(S,) per candle."""
    momentum: Floats
    """(S,)"""
    technical: Floats
    """(S, 6) as `Columns.technical` gives them."""
    regimes: list[Regime]
    """S of them."""
    answerers: NDArray[np.object_]
    """(S,)"""
    ranges: RangeForecast


def say(
    items: list[Item], chosen: Index, numbers: Numbers, config: EngineConfig, now_ms: int
) -> list[Prediction]:
    """The messages of the `chosen` items, in their order, shortest horizon first."""
    said: dict[int, list[Prediction]] = {}
    for steps, members in _by_horizons(items, chosen).items():
        answers = _answers(np.array(members, np.intp), numbers, steps, config)
        for place, at in enumerate(members):
            who, regime = numbers.answerers[at], numbers.regimes[at]
            said[at] = Answer(items[at], who, answers, place, regime, config, now_ms).predictions()
    return [prediction for at in chosen.tolist() for prediction in said[at]]


def _by_horizons(items: list[Item], chosen: Index) -> dict[tuple[int, ...], list[int]]:
    """Items whose paths show the same steps, together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for at in chosen.tolist():
        groups.setdefault(items[at].series.steps, []).append(at)
    return groups


def _answers(at: Index, numbers: Numbers, steps: tuple[int, ...], config: EngineConfig) -> Answers:
    """The numbers of series that share their horizons."""
    plan, horizons = path_plan(steps, config.max_path_points), len(steps)
    forecast, close = numbers.forecast, numbers.close[at]
    location, half_width = forecast.location[at, :horizons], forecast.half_width[at, :horizons]
    path = path_prices(plan, close, location, half_width)
    quantiles = close[:, None, None] * np.exp(forecast.quantiles[at, :horizons])
    market = np.concatenate(
        [numbers.volatility[at, None], numbers.momentum[at, None], numbers.technical[at]], axis=1
    )
    return Answers(
        plan,
        numbers.heads[at],
        path,
        quantiles,
        forecast.direction[at, :horizons],
        forecast.deviation[at, :horizons],
        np.stack([column[at, :horizons] for column in numbers.record], axis=-1),
        market,
        np.stack([column[at, :horizons] for column in numbers.ranges], axis=-1),
    )


def path_prices(plan: PathPlan, close: Floats, location: Floats, half_width: Floats) -> Floats:
    """Predicted price, lower and upper bound at every step of a plan: (S, 3, U)."""
    ends = [path[-1] for path in plan.members]
    heads = plan.steps[ends]
    width, centre = path_half_width(plan.steps, heads, half_width), path_location(plan.steps, heads, location)
    width[:, ends], centre[:, ends] = half_width, location  # a horizon's own bounds, to the bit
    return np.stack(prices(close[:, None], centre, width), axis=1)
