"""In front of all endpoints: rate and size of requests, and a last resort for faults of ours."""

import asyncio
import logging
import math
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream_lstm.gateway.envelope import Refused
from stream_lstm.gateway.rate import RateLimit

log = logging.getLogger(__name__)

MOST_BYTES: Final = 64 * 1024
"""A body's size at most."""
_DRAINED_BYTES: Final = 16 * MOST_BYTES
"""What is read of a body that is too large: a client that is cut off while it sends never sees the answer."""
_BODY_SECONDS: Final = 10.0


class Guard:
    """Middleware that reads each body whole before it is worked on."""

    def __init__(self, app: ASGIApp, limit: RateLimit) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, in the envelope whatever happens."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            self._admit(scope)
            body = await _body(receive)
            await self._app(_as_json(scope), _replayed(body, receive), sent)
        except Refused as refused:
            await refused.response()(scope, receive, send)
        except Exception:  # a fault of ours must be an answer like any other
            log.exception("%s %s failed", scope["method"], scope["path"])
            if begun:
                raise
            fault = Refused(500, "INTERNAL_ERROR", "a fault of the gateway: its log says more")
            await fault.response()(scope, receive, send)
        return None

    def _admit(self, scope: Scope) -> None:
        address = scope["client"][0] if scope.get("client") else ""
        wait = self._limit.wait(address)
        if wait:
            seconds = math.ceil(wait)
            raise Refused(
                429,
                "TOO_MANY_REQUESTS",
                f"too many requests from this address: try again in {seconds} s (http.requests_per_second)",
                {"Retry-After": str(seconds)},
            )


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            more = True
            while more and size <= _DRAINED_BYTES:
                message = await receive()
                part = message.get("body", b"")
                size += len(part)
                if size <= MOST_BYTES:
                    parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError:
        why = f"the body did not come within {_BODY_SECONDS:g} s"
        raise Refused(408, "REQUEST_TIMEOUT", why, {"Connection": "close"}) from None
    if size > MOST_BYTES:
        why = f"the body has more than {MOST_BYTES} bytes"
        raise Refused(413, "REQUEST_TOO_LARGE", why, {"Connection": "close"})
    return b"".join(parts)


def _as_json(scope: Scope) -> Scope:
    """As in the original, a body is JSON whatever its content type says."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body, then what else comes: that the client has gone."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
