"""The gateway as a process: listens, serves until it is told to stop, and has stopped five seconds later."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

import uvicorn

from stream_lstm.client import KafkaConnection, ModelAdmin
from stream_lstm.dashboard.reading import Reading
from stream_lstm.errors import SettingsError
from stream_lstm.gateway.app import create_app
from stream_lstm.gateway.dashboard import Dashboard
from stream_lstm.gateway.page import prepare
from stream_lstm.observability.logging import announce
from stream_lstm.settings import Settings
from stream_lstm.streaming.ends import signals

log = logging.getLogger(__name__)

_FINISH_SECONDS: Final = 3
"""What requests have to end when it is told to stop; the client's end takes the rest."""
_LONGEST_HEAD: Final = 16 * 1024
"""Bytes of a request's line and headers."""
_BACKLOG: Final = 1_024


async def run(settings: Settings, connection: KafkaConnection) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP. Raises `SettingsError` if the address cannot be used.

    Needs no Kafka to start: what is asked meanwhile is answered with 503.
    """
    http = settings.http
    with signals() as stop, _listening(http.host, http.port) as listener:
        facts = [("kafka", connection.bootstrap_servers), ("topics.prefix", settings.topics.prefix)]
        announce(log, f"stream-lstm {version('stream-lstm')}: gateway", facts)
        admin = ModelAdmin(connection, prefix=settings.topics.prefix, timeout=http.timeout)
        async with admin, Reading(settings, connection) as reading:
            app = create_app(
                admin,
                token=http.token.get_secret_value() if http.token is not None else None,
                board=Dashboard(reading, stop),
                requests_per_second=http.requests_per_second,
            )
            host, port = listener.getsockname()[:2]
            preparing = asyncio.create_task(asyncio.to_thread(prepare), name="prepare")
            log.info("gateway on http://%s:%d", f"[{host}]" if ":" in host else host, port)
            await serve(app, listener, stop)
            log.info("stopping: told to stop")
            await preparing


async def serve(app: object, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve an application on a socket that listens, until the event is set; requests may end by then."""
    server = _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # its types of ASGI and starlette's are the same, and do not know it
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # an address that anybody may write is none
            h11_max_incomplete_event_size=_LONGEST_HEAD,
            timeout_graceful_shutdown=_FINISH_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve([listener]), name="serve")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us: uvicorn would die of the one that it was stopped by."""
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"http.host, http.port: cannot listen on {host}:{port}: {error}; "
            "choose another port, or 0 for any free one"
        ) from error
    with listener:
        yield listener
