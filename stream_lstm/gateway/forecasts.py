"""Forecasts and regimes over HTTP."""

import asyncio
from typing import Any, Final

from fastapi import APIRouter, Response

from stream_lstm.client import ModelAdmin
from stream_lstm.contracts.reply import RegimeReport
from stream_lstm.gateway import replies
from stream_lstm.gateway.admin import Admin
from stream_lstm.gateway.envelope import Refused, Success, declared, succeeded
from stream_lstm.gateway.refusals import Renamed, refusing
from stream_lstm.gateway.requests import BatchRequest, PredictRequest, RegimeRequest

router = APIRouter(prefix="/api/ml", tags=["forecasts"])

_HYBRID: Final = "hybrid"
_LSTM_CODE: Final = "LSTM_PREDICTION_FAILED"
_CODE: Final = "PREDICTION_FAILED"


@router.post("/predict/lstm", responses=declared(Success[replies.PredictionData], 503))
async def predict_lstm(asked: PredictRequest, admin: Admin) -> Response:
    """The forecast at the newest closed candle, by the model that the service publishes with."""
    with refusing(_LSTM_CODE, _renamed(_LSTM_CODE, asked.symbol)):
        return succeeded(await _predicted(admin, asked, None))


@router.post("/predict", responses=declared(Success[replies.PredictionData], 503))
async def predict_hybrid(asked: PredictRequest, admin: Admin) -> Response:
    """The same by the `hybrid` forecaster, which needs no trained model."""
    with refusing(_CODE, _renamed(_CODE, asked.symbol)):
        return succeeded(await _predicted(admin, asked, _HYBRID))


@router.post("/predict/batch", responses=declared(Success[replies.BatchData], 503))
async def predict_batch(asked: BatchRequest, admin: Admin) -> Response:
    """The hybrid forecast of up to 100 symbols. One that fails is in `failed` and fails no other."""
    fields = asked.model_dump(exclude={"symbols"})
    wanted = [PredictRequest(symbol=symbol, **fields) for symbol in dict.fromkeys(asked.symbols)]
    outcomes = await asyncio.gather(*(_outcome(admin, one) for one in wanted))
    predictions, failed = [], []
    for one, outcome in zip(wanted, outcomes, strict=True):
        if not isinstance(outcome, Refused):
            predictions.append(outcome)
        elif outcome.status == 503:  # nobody is there: that is no matter of one symbol
            raise outcome
        else:
            why = {"code": outcome.code, "message": outcome.message}
            failed.append({"symbol": one.symbol, **why})
    return succeeded({"predictions": predictions, "count": len(predictions), "failed": failed})


@router.post("/regime", responses=declared(Success[RegimeReport], 503))
async def regime(asked: RegimeRequest, admin: Admin) -> Response:
    """Bull, bear or sideways: now, in the lookback, and what followed on what."""
    with refusing("REGIME_FAILED"):
        told = await admin.regime(
            asked.symbol, asked.lookback, exchange=asked.exchange, interval=asked.interval
        )
        return succeeded(replies.as_json(told))


async def _predicted(admin: ModelAdmin, asked: PredictRequest, model_type: str | None) -> dict[str, Any]:
    told = await admin.predict(
        asked.symbol,
        asked.horizon,
        asked.confidence,
        exchange=asked.exchange,
        interval=asked.interval,
        model_type=model_type,
    )
    return replies.prediction(told, asked.include_sentiment)


async def _outcome(admin: ModelAdmin, asked: PredictRequest) -> dict[str, Any] | Refused:
    try:
        with refusing(_CODE, _renamed(_CODE, asked.symbol)):
            return await _predicted(admin, asked, _HYBRID)
    except Refused as refused:
        return refused


def _renamed(code: str, symbol: str) -> Renamed:
    """As the original says it that there is nothing to forecast from."""
    nothing = (code, f"No historical data found for {symbol}")
    return Renamed(
        SERIES_NOT_FOUND=nothing,
        MODEL_NOT_FOUND=nothing,
        PREDICTION_FAILED=(code, ""),
        **{_LSTM_CODE: (code, "")},
    )
