"""The page at `/`: our own files out of this package, plotly's bundle out of its installed wheel."""

import asyncio
import gzip
import hashlib
import re
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from fastapi import APIRouter, Request, Response

from stream_lstm.gateway.envelope import Refused

router = APIRouter(include_in_schema=False)

PLOTLY: Final = "plotly.min.js"
_TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asked again each time, and answered with 304
}


class _File(NamedTuple):
    content: bytes
    zipped: bytes
    tag: str
    type: str


@router.get("/")
async def index(request: Request) -> Response:
    """The page."""
    return await _sent(request, "index.html")


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """A script or a style of the page."""
    return await _sent(request, name)


async def _sent(request: Request, name: str) -> Response:
    # Once for each file: to read and press plotly's 5 MB takes a fifth of a second.
    file = await asyncio.to_thread(_file, name)
    if file is None:
        raise Refused(404, "NOT_FOUND", f"{name} is not there; plotly comes with `{_INSTALL}`")
    headers = {**_SECURITY, "ETag": file.tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.zipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.type)
    return Response(file.content, headers=headers, media_type=file.type)


def prepare() -> None:
    """Read and press what takes long, so that the first page need not wait for it."""
    for name in ("index.html", PLOTLY):
        _file(name)


_PLACE: Final = b"<!-- plotly: the gateway puts it here, where it is installed -->"
_INSTALL: Final = 'pip install "stream-lstm[plots]"'


def plotly_bundle() -> Path | None:
    """Where plotly's own JavaScript is; None if it is not installed."""
    found = find_spec("plotly")
    for folder in (found.submodule_search_locations or []) if found else []:
        path = Path(folder) / "package_data" / PLOTLY
        if path.is_file():
            return path
    return None


def _plotly_tags() -> bytes:
    """What loads plotly; nothing if it is not installed.

    Where it finds elements of certain ids, it writes no style into the page, which the policy forbids.
    A script that is `async` in the page is compiled beside it; one that is added later holds it up.
    """
    bundle = plotly_bundle()
    if bundle is None:
        return b""
    ids = re.findall(rb'if\(!document\.getElementById\("(\w+)"\)\)', bundle.read_bytes())
    marks = [b'<meta id="%s">' % id for id in dict.fromkeys(ids)]
    script = b'<script async id="plotly" src="/static/%s"></script>' % PLOTLY.encode()
    return b"\n    ".join([*marks, script])


@cache
def _own() -> frozenset[str]:
    return frozenset(entry.name for entry in files("stream_lstm.gateway").joinpath("static").iterdir())


@cache
def _file(name: str) -> _File | None:
    if name == PLOTLY:
        bundle = plotly_bundle()
        content = bundle.read_bytes() if bundle else None
    elif name in _own():
        content = files("stream_lstm.gateway").joinpath("static", name).read_bytes()
    else:
        content = None
    if content is None:
        return None
    if name == "index.html":
        content = content.replace(_PLACE, _plotly_tags())
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return _File(content, gzip.compress(content, 6), tag, kind)
