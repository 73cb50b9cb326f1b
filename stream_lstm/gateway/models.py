"""Models over HTTP: list, inspect, retrain, delete, clean up; and their series: pause, resume."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Response
from starlette.convertors import Convertor, register_url_convertor

from stream_lstm.contracts.reply import ModelList, ModelStats, Paused, Retraining
from stream_lstm.errors import CommandFailed
from stream_lstm.gateway import replies
from stream_lstm.gateway.access import AUTHORISED
from stream_lstm.gateway.admin import Admin
from stream_lstm.gateway.envelope import Refused, Success, declared, now_ms, succeeded
from stream_lstm.gateway.refusals import Renamed, refusing
from stream_lstm.gateway.requests import (
    CleanupRequest,
    ExchangeInQuery,
    IntervalInQuery,
    SymbolInPath,
)


class _AnySymbol(Convertor[str]):
    """A symbol in a path: whatever is there, line breaks too. What a symbol may be is checked later."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("symbol", _AnySymbol())
router = APIRouter(prefix="/api/ml/models", tags=["models"])

_DAY_MS: Final = 86_400_000
_DEFAULT_DAYS: Final = 30.0
_NOTHING: Final = {"MODEL_NOT_FOUND", "SERIES_NOT_FOUND"}


@router.get("", responses=declared(Success[ModelList], 503))
async def list_models(admin: Admin) -> Response:
    """The newest model of every series, the last trained first."""
    with refusing("LIST_MODELS_FAILED"):
        return succeeded(replies.models(await admin.list_models()))


@router.get("/{symbol:symbol}/stats", responses=declared(Success[ModelStats], 503))
async def model_stats(
    symbol: SymbolInPath, admin: Admin, exchange: ExchangeInQuery = None, interval: IntervalInQuery = None
) -> Response:
    """A series' model, and how it has done lately; null where nothing has matured yet."""
    none = ("MODEL_NOT_FOUND", f"No model found for {symbol}")
    with refusing("GET_MODEL_STATS_FAILED", Renamed(dict.fromkeys(_NOTHING, none))):
        told = await admin.model_stats(symbol, exchange=exchange, interval=interval)
        return succeeded(replies.stats(told))


@router.post(
    "/cleanup", responses=declared(Success[replies.CleanupData], 401, 503), dependencies=[AUTHORISED]
)
async def cleanup_models(admin: Admin, asked: Annotated[CleanupRequest | None, Body()] = None) -> Response:
    """Delete models whose last training candle is older than that, in the store and in every worker."""
    asked = asked or CleanupRequest()
    days = _days(asked)
    with refusing("CLEANUP_FAILED"):
        told = await admin.cleanup_models(
            days,
            symbol=asked.symbol,
            exchange=asked.exchange,
            interval=asked.interval,
            model_type=asked.model_type.lower() if asked.model_type is not None else None,
        )
        return succeeded(replies.cleaned_up(told, days))


@router.post(
    "/{symbol:symbol}/retrain",
    responses=declared(Success[Retraining], 401, 503),
    dependencies=[AUTHORISED],
)
async def retrain_model(
    symbol: SymbolInPath, admin: Admin, exchange: ExchangeInQuery = None, interval: IntervalInQuery = None
) -> Response:
    """Have a series trained as if its model had expired; answered when that is queued."""
    with refusing("RETRAIN_FAILED"):
        told = await admin.retrain(symbol, exchange=exchange, interval=interval)
        return succeeded(replies.as_json(told))


@router.post(
    "/{symbol:symbol}/pause", responses=declared(Success[Paused], 401, 503), dependencies=[AUTHORISED]
)
async def pause_series(
    symbol: SymbolInPath, admin: Admin, exchange: ExchangeInQuery = None, interval: IntervalInQuery = None
) -> Response:
    """Let a series say nothing until it is resumed; it goes on learning."""
    with refusing("PAUSE_FAILED"):
        return succeeded(replies.as_json(await admin.pause(symbol, exchange=exchange, interval=interval)))


@router.post(
    "/{symbol:symbol}/resume", responses=declared(Success[Paused], 401, 503), dependencies=[AUTHORISED]
)
async def resume_series(
    symbol: SymbolInPath, admin: Admin, exchange: ExchangeInQuery = None, interval: IntervalInQuery = None
) -> Response:
    """Let a series speak again."""
    with refusing("RESUME_FAILED"):
        return succeeded(replies.as_json(await admin.resume(symbol, exchange=exchange, interval=interval)))


@router.delete(
    "/{symbol:symbol}", responses=declared(Success[replies.DeletedData], 401, 503), dependencies=[AUTHORISED]
)
async def delete_model(
    symbol: SymbolInPath, admin: Admin, exchange: ExchangeInQuery = None, interval: IntervalInQuery = None
) -> Response:
    """Delete the models of a symbol, in the store and in every worker; nothing to delete is no failure."""
    with refusing("DELETE_MODEL_FAILED"):
        try:
            told = await admin.delete_model(symbol, exchange=exchange, interval=interval)
        except CommandFailed as error:
            if error.code not in _NOTHING:
                raise
            told = None
        return succeeded(replies.deleted(symbol, told))


def _days(asked: CleanupRequest) -> float:
    if asked.older_than is None:
        return asked.max_age_days if asked.max_age_days is not None else _DEFAULT_DAYS
    if asked.max_age_days is not None:
        raise Refused(400, "INVALID_REQUEST", "give maxAgeDays or olderThan, not both")
    days = (now_ms() - asked.older_than) / _DAY_MS
    if days <= 0:
        raise Refused(400, "INVALID_REQUEST", f"olderThan = {asked.older_than} is not in the past")
    return days
