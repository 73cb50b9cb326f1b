"""`/metrics`, `/livez` and `/readyz` from a thread of their own, so that a blocked event loop is seen."""

import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import orjson
from prometheus_client import CollectorRegistry, make_wsgi_app

from stream_lstm.errors import SettingsError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Check = Callable[[], tuple[bool, dict[str, Any]]]
"""Whether all is well, and what to tell about it. Called from the server's threads; must not block."""

_PATHS: Final = ("/metrics", "/livez", "/readyz")
_STOP_SECONDS: Final = 2.0


class HealthServer:
    """Serves from `start` to `stop`; port 0 takes any free one, `port` tells which."""

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, *, livez: Check, readyz: Check
    ) -> None:
        self.host = host
        self.port = port
        self._application = application(registry, livez, readyz)
        self._server: _Server | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Listen. Raises `SettingsError` if the address cannot be used."""
        try:
            self._server = _Server.listening(self.host, self.port)
        except (OSError, OverflowError) as error:
            raise SettingsError(
                f"metrics.host, metrics.port: cannot listen on {self.host}:{self.port}: {error}; "
                "choose another port, or 0 for any free one"
            ) from error
        self._server.set_app(self._application)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, in bounded time; requests that run end by themselves."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_STOP_SECONDS)
        self._server = self._thread = None


def application(registry: CollectorRegistry, livez: Check, readyz: Check) -> "WSGIApplication":
    """The three pages as one WSGI application."""
    metrics = make_wsgi_app(registry)
    checks = {"/livez": livez, "/readyz": readyz}

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _json(start, HTTPStatus.METHOD_NOT_ALLOWED, {"error": "only GET"})
        if path == "/metrics":
            page: Iterable[bytes] = metrics(environ, start)
            return page
        if path not in checks:
            return _json(start, HTTPStatus.NOT_FOUND, {"error": f"no {path}", "paths": _PATHS})
        well, detail = checks[path]()
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        return _json(start, status, {"ok": well, **detail})

    return answer


def _json(start: "StartResponse", status: HTTPStatus, body: dict[str, Any]) -> list[bytes]:
    content = orjson.dumps(body)
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
    ]
    start(f"{status.value} {status.phrase}", headers)
    return [content]


class _Request(WSGIRequestHandler):
    timeout = 10  # seconds: a client that says nothing holds no thread for ever

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a probe every few seconds is no news."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    @classmethod
    def listening(cls, host: str, port: int) -> "_Server":
        """A server that listens on host and port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = type("_Bound", (cls,), {"address_family": family})
        server: _Server = bound((host, port), _Request)
        return server

    def server_bind(self) -> None:
        # Not HTTPServer's, which looks the host's name up and can wait for a DNS server.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()
