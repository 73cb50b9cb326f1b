"""Whether the gateway and what is behind it can answer."""

from typing import Literal

from fastapi import APIRouter, Response

from stream_lstm.client import ModelAdmin
from stream_lstm.gateway.admin import Admin
from stream_lstm.gateway.envelope import declared, json_response, now_ms
from stream_lstm.gateway.replies import Components, Health, HealthData, as_json

router = APIRouter(prefix="/api/ml", tags=["health"])

_LATELY_MS = 300_000
_BROKER_SECONDS = 2.0


@router.get(
    "/health",
    responses=declared(Health) | {503: {"model": Health, "description": "The brokers do not answer."}},
)
async def health(admin: Admin) -> Response:
    """200 while the brokers answer, else 503. What is said of workers is what was seen, nothing is asked."""
    trouble = await admin.trouble(_BROKER_SECONDS)
    kafka = trouble is None
    worker = _worker(admin)
    status: Literal["healthy", "unhealthy"] = "healthy" if kafka else "unhealthy"
    parts = Components(
        kafka=kafka,
        worker=worker,
        feature_engineering=worker,
        market_regime=worker,
        price_prediction=worker,
        lstm=worker,
        model_persistence=worker,
    )
    data = HealthData(
        status=status, components=parts, worker_answered_at=admin.last_answer_ms, reason=trouble
    )
    told = Health(success=kafka, status=status, data=data, timestamp=now_ms())
    return json_response(as_json(told), 200 if kafka else 503)


def _worker(admin: ModelAdmin) -> bool | None:
    if admin.silent_since_ms is not None:
        return False
    answered = admin.last_answer_ms
    return True if answered is not None and now_ms() - answered <= _LATELY_MS else None
