"""The application: endpoints, what stands in front of them, and its own description."""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from stream_lstm.client import ModelAdmin
from stream_lstm.gateway import dashboard, forecasts, health, models, page
from stream_lstm.gateway.dashboard import Dashboard
from stream_lstm.gateway.envelope import Refused, json_response
from stream_lstm.gateway.guard import Guard
from stream_lstm.gateway.rate import RateLimit

DESCRIPTION: Final = """\
Forecasts and models of stream-lstm, with the paths, shapes, codes and statuses of the service that it
succeeds (its versions 1 and 2; every field of both is there). Requests become commands on Kafka, which the
workers answer.

Where it knowingly differs from that service:

- **Numbers are measured or null.** `accuracy` is 1 − MAPE over matured predictions, `mae`, `rmse`, `mape`,
  `r2Score` and `directionalAccuracy` are what they say, `trainingDuration` and `dataPoints` are counted, and
  none of them is derived from the training loss. Steps of a path are candles, not hours by name.
- **A request trains nothing.** The model that answers is the one that is published with; until there is one,
  the hybrid forecaster answers and says so in `modelInfo.reason`.
- `confidence` must be from 0.01 to 0.999, and every value of it has its own interval.
- `horizon` may be any that the service publishes, and `exchange` and `interval` may be named where a symbol
  alone is ambiguous; an ambiguous one is 400 `INVALID_REQUEST` with the candidates.
- A body that is no JSON is 400 `INVALID_REQUEST`, not 500. Its message is a sentence, not a list in JSON.
- `cleanup`: `maxAgeDays` must be a positive number (0, negative and text are 400); no body is 30 days;
  `olderThan` (epoch milliseconds) may stand instead; the models also leave the workers' memory.
- `DELETE` says in `deletedCount` and `models` what there was, and reaches every worker's memory. A symbol is
  checked (1 to 200 characters, no control characters), may have encoded slashes, and is no path anywhere.
- `POST /api/ml/models/{symbol}/retrain`, `…/pause` and `…/resume` are new: they do what the dashboard's
  buttons do.
- `predict/batch` names in `failed` what it leaves out, takes at most 100 symbols and answers each once.
- `health` is 503 `unhealthy` while the brokers do not answer. What is not known is null, not true.
- What changes state needs the bearer token where `http.token` is set: else 401 `UNAUTHORIZED`.
- No worker, or no broker, is 503 within `http.timeout`: `NO_WORKER`, `BROKER_UNAVAILABLE`; so is an owner of
  a series (`OWNER_UNAVAILABLE`) or a store (`STORE_UNAVAILABLE`) that cannot be reached.
- Bodies above 64 KiB are 413, ones that take too long 408, too many requests of one address 429.
- Paths that there are not are 404 `NOT_FOUND`, methods 405 `METHOD_NOT_ALLOWED`, both in the envelope. An
  unknown model is 400, as it was.
"""

_HTTP_CODES: Final = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_BURST_SECONDS: Final = 2.0


def create_app(
    admin: ModelAdmin,
    *,
    token: str | None = None,
    board: Dashboard | None = None,
    requests_per_second: float = 50.0,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The application over an `admin` that is entered and left by whoever serves it.

    With a `board` there is the dashboard at `/`. `requests_per_second` is for each client address, twice as
    many at once; `clock` tells seconds.
    """
    app = _Described(
        title="stream-lstm",
        version=version("stream-lstm"),
        description=DESCRIPTION,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            Refused: _refused,
            RequestValidationError: _invalid,
            HTTPException: _http,
        },
    )
    app.state.admin, app.state.token = admin, token
    for router in (forecasts.router, models.router, health.router):
        app.include_router(router)
    if board is None:
        app.add_api_route("/", _welcome, include_in_schema=False)
    else:
        board.needs_token = token is not None
        app.state.dashboard = board
        app.include_router(dashboard.router)
        app.include_router(page.router)
    burst = max(1.0, _BURST_SECONDS * requests_per_second)
    app.add_middleware(Guard, limit=RateLimit(requests_per_second, burst, clock))
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    return app


class _Described(FastAPI):
    """Its document without what never happens: FastAPI's own 422."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(name, None)
        assert self.openapi_schema is not None
        return self.openapi_schema


async def _welcome() -> Response:
    return json_response({"service": "stream-lstm", "openapi": "/openapi.json", "health": "/api/ml/health"})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response()


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = (f"{_place(one['loc'])}{one['msg'].removeprefix('Value error, ')}" for one in error.errors())
    return Refused(400, "INVALID_REQUEST", "; ".join(problems)).response()


def _place(location: tuple[Any, ...]) -> str:
    """Where in the request it was, without FastAPI's own words."""
    parts = [str(part) for part in location[1:] if not isinstance(part, int) or location[0] != "body"]
    return f"{'.'.join(parts)}: " if parts else ""


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "INVALID_REQUEST")
    message = f"{request.method} {request.url.path}: {error.detail}"
    return Refused(error.status_code, code, message, error.headers).response()
