"""A bucket on this machine, as far as a store needs one; it can be closed, and it can fall silent."""

import hashlib
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Bucket:
    """`s3://bucket/…` for whoever has its `surroundings`; what is in it stays when it is closed."""

    def __init__(self) -> None:
        self.silent = False
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def surroundings(self) -> dict[str, str]:
        """Variables of the environment."""
        return {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "hidden",
            "AWS_REGION": "eu",
            "AWS_ENDPOINT": f"http://127.0.0.1:{self._port}",
            "AWS_ALLOW_HTTP": "true",
        }

    def names(self) -> list[str]:
        """Of everything that is in it."""
        return list(self._objects)

    def open(self) -> None:
        """Answer, at the same port as before."""
        handler = type("Handler", (_Handler,), {"bucket": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if "list-type" in query:
            self._answer(200, self._listed(query.get("prefix", "")))
        elif (found := self.bucket._objects.get(self._name())) is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._give(*found)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.bucket.silent:
            self.bucket._objects[self._name()] = (data, time.time())
        self._answer(200, b"", {"ETag": _etag(data)})

    def do_DELETE(self) -> None:
        self.bucket._objects.pop(self._name(), None)
        self._answer(204, b"")

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/bucket/")

    def _give(self, data: bytes, saved: float) -> None:
        told = {"ETag": _etag(data), "Last-Modified": formatdate(saved, usegmt=True)}
        if (wanted := self.headers.get("Range")) is None:
            self._answer(200, data, told)
            return
        first, last = wanted.removeprefix("bytes=").split("-")
        part = data[int(first) : int(last) + 1]
        told["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
        self._answer(206, part, told)

    def _listed(self, prefix: str) -> bytes:
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>{_iso(saved)}</LastModified>"
            f"<ETag>{_etag(data)}</ETag><Size>{len(data)}</Size></Contents>"
            for name, (data, saved) in sorted(self.bucket._objects.items())
            if name.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        while self.bucket.silent:
            time.sleep(0.05)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
