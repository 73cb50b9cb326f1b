"""The bodies of predictions and scores, in the order of their contracts, as plain dicts."""

import math
import zlib
from typing import NamedTuple

from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.distribution import LEVELS
from stream_lstm.forecasting.outputs import Body, Prediction
from stream_lstm.forecasting.paths import PathPlan
from stream_lstm.forecasting.regimes import Regime

_TECHNICAL = ("rsi", "macd", "ema20", "ema50", "bbUpper", "bbLower")
_LEVEL_NAMES = tuple(str(level) for level in LEVELS)


class Answerer(NamedTuple):
    """Who answered: a model, or the forecaster that needs none."""

    type: str
    id: str | None
    version: str | None


class Answer(NamedTuple):
    """The numbers of one series' answer as plain lists: K horizons, U path points."""

    answerer: Answerer
    heads: int
    path: list[list[float]]
    """Three lists (U,): predicted price, lower and upper bound."""
    quantiles: list[list[float]]
    direction: list[list[float]]
    deviation: list[float]
    record: list[list[float]]
    """Coverage, accuracy, skill and bias: four lists (K,), NaN where not known yet."""
    volatility: float
    momentum: float
    technical: list[float]
    """RSI, MACD, EMA 20 and 50, upper and lower Bollinger band; NaN where not known yet."""
    regime: Regime


def known(value: float) -> float | None:
    """Null on the wire where there is no number yet."""
    return None if math.isnan(value) else value


def prediction_id(name: str, as_of: int, horizon: str) -> str:
    """`exchange:symbol:interval:asOf:horizon`, the same for every repeat."""
    return f"{name}:{as_of}:{horizon}"


def state_of(item: Item, answerer: Answerer) -> int:
    """CRC-32 over what the state rests on."""
    series = item.series
    return zlib.crc32(f"{item.candle.open_ms}:{item.candles}:{answerer.id}:{series.scores}".encode())


def predictions_of(
    item: Item, answer: Answer, plan: PathPlan, config: EngineConfig, now_ms: int
) -> list[Prediction]:
    """One prediction per horizon of the item's series, shortest first."""
    series, candle = item.series, item.candle
    as_of, step_ms, confidence = candle.close_ms, series.step_ms, config.confidence
    exchange, symbol, interval = series.key
    points = [
        {
            "timestamp": as_of + step * step_ms,
            "predictedPrice": price,
            "lowerBound": lower,
            "upperBound": upper,
            "confidence": confidence,
        }
        for step, price, lower, upper in zip(plan.counts, *answer.path, strict=True)
    ]
    features, model_info = _features(answer), _model_info(item, answer, config)
    state = state_of(item, answer.answerer)
    said = []
    for at, horizon in enumerate(series.horizons):
        down, neutral, up = answer.direction[at]
        body: Body = {
            "id": prediction_id(series.name, as_of, horizon.name),
            "revision": item.revision,
            "exchange": exchange,
            "symbol": symbol,
            "interval": interval,
            "horizon": horizon.name,
            "asOf": as_of,
            "lastClose": candle.close,
            "predictions": [points[member] for member in plan.members[at]],
            "direction": {"down": down, "neutral": neutral, "up": up},
            "targetPct": answer.deviation[at],
            "validUntil": as_of + step_ms,
            "quantiles": dict(zip(_LEVEL_NAMES, answer.quantiles[at], strict=True)),
            "range": None,
            "features": features,
            "modelInfo": model_info | _record_of(answer, at),
            "generatedAt": now_ms,
        }
        said.append(Prediction(series.key, horizon.name, answer.answerer.type, state, item.cause, body))
    return said


def _features(answer: Answer) -> Body:
    return {
        "technicalIndicators": dict(zip(_TECHNICAL, map(known, answer.technical), strict=True)),
        "onChainMetrics": {},
        "sentimentScore": 0,
        "marketRegime": answer.regime.market,
        "volatilityRegime": answer.regime.volatility,
        "volatility": answer.volatility,
        "momentum": answer.momentum,
    }


def _model_info(item: Item, answer: Answer, config: EngineConfig) -> Body:
    """What is the same for every horizon; the record of each is put over it."""
    series, answerer = item.series, answer.answerer
    expires = series.expires_ms
    untrained = answerer.id is None and config.model != answerer.type
    return {
        "modelType": answerer.type,
        "modelId": answerer.id,
        "version": answerer.version,
        "lastTrained": series.model.metadata.trained_at if series.model else None,
        "accuracy": None,
        "confidence": config.confidence,
        "skill": None,
        "intervalSkill": None,
        "coverage": None,
        "stale": expires is not None and item.candle.close_ms >= expires,
        "expiresAt": expires,
        "reason": "no trained model yet" if untrained else None,
    }


def _record_of(answer: Answer, at: int) -> Body:
    coverage, accuracy, skill, _ = (column[at] for column in answer.record)
    record: Body = {"accuracy": known(accuracy), "skill": known(skill), "coverage": known(coverage)}
    if at >= answer.heads and answer.answerer.id is not None:
        record["reason"] = "extrapolated"
    return record


class Matured(NamedTuple):
    """The numbers of one matured prediction."""

    predicted: float
    lower: float
    upper: float
    actual: float
    inside: bool
    winkler: float
    answerer: Answerer


def score_body(item: Item, horizon_at: int, matured: Matured, config: EngineConfig) -> Body:
    """What was said at revision 0, and what came."""
    series = item.series
    horizon = series.horizons[horizon_at]
    target = item.candle.close_ms
    as_of = target - horizon.steps * series.step_ms
    return {
        "id": prediction_id(series.name, as_of, horizon.name),
        "revision": 0,
        "exchange": series.key.exchange,
        "symbol": series.key.symbol,
        "interval": series.key.interval,
        "horizon": horizon.name,
        "asOf": as_of,
        "target": target,
        "predictedPrice": matured.predicted,
        "lowerBound": matured.lower,
        "upperBound": matured.upper,
        "confidence": config.confidence,
        "actualPrice": matured.actual,
        "error": matured.actual - matured.predicted,
        "inside": matured.inside,
        "winkler": matured.winkler,
        "modelType": matured.answerer.type,
        "modelId": matured.answerer.id,
    }
