"""What is around every answer: `{success, data, timestamp}` or `{success, error, timestamp}`."""

import time
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

import orjson
from fastapi import Response
from pydantic import BaseModel, Field

D = TypeVar("D")


class Success(BaseModel, Generic[D]):
    """A request that was done."""

    success: Literal[True] = True
    data: D
    timestamp: int = Field(description="When it was answered; epoch milliseconds, UTC.")


class Reason(BaseModel):
    """Why a request was not done."""

    code: str
    message: str = Field(description="For people: what was wrong, where, and what to do.")


class Failure(BaseModel):
    """A request that was not done."""

    success: Literal[False] = False
    error: Reason
    timestamp: int = Field(description="When it was answered; epoch milliseconds, UTC.")


class Refused(Exception):
    """Ends a request with a failure."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def response(self) -> Response:
        """As it goes to the client."""
        error = {"code": self.code, "message": self.message}
        body = {"success": False, "error": error, "timestamp": now_ms()}
        return json_response(body, self.status, self.headers)


def succeeded(data: Mapping[str, Any]) -> Response:
    """A successful answer."""
    return json_response({"success": True, "data": data, "timestamp": now_ms()})


def json_response(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A body as it is. What is answered here is true for the moment only: it is never cached."""
    return Response(
        orjson.dumps(body),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )


def now_ms() -> int:
    """Epoch milliseconds of the wall clock."""
    return int(time.time() * 1000)


def declared(data: type[BaseModel], *refusals: int) -> dict[int | str, dict[str, Any]]:
    """The answers of an endpoint for its documentation: its data, its own refusals, and those of all."""
    always = (400, 408, 413, 429, 500)
    texts = {status: _REFUSALS[status] for status in sorted({*always, *refusals})}
    failures: dict[int | str, dict[str, Any]] = {
        status: {"model": Failure, "description": text} for status, text in texts.items()
    }
    return {200: {"model": data, "description": "It was done."}, **failures}


_REFUSALS = {
    400: "The request cannot be done as it is: `INVALID_REQUEST`, `MODEL_NOT_FOUND`, `SERIES_NOT_FOUND`.",
    401: "It changes state, and the bearer token is missing or wrong: `UNAUTHORIZED`.",
    408: "The body did not come in time: `REQUEST_TIMEOUT`.",
    413: "The body has more than 64 KiB: `REQUEST_TOO_LARGE`.",
    429: "Too many requests from this address: `TOO_MANY_REQUESTS`, with `Retry-After` in seconds.",
    500: "A worker could not do it: the endpoint's own code; or the gateway has a fault: `INTERNAL_ERROR`.",
    503: "Nobody can answer now: `NO_WORKER`, `BROKER_UNAVAILABLE`, `OWNER_UNAVAILABLE`, "
    "`STORE_UNAVAILABLE`, `COMMAND_EXPIRED`, `UNKNOWN_COMMAND`.",
}
