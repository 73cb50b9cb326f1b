"""The page's files: who may load what, what is sent, and whether our JavaScript is what its types say."""

import asyncio
import gzip
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from stream_lstm.client import KafkaConnection
from stream_lstm.dashboard.reading import Reading
from stream_lstm.gateway import page
from stream_lstm.gateway.dashboard import Dashboard
from stream_lstm.settings import Settings
from tests.dashboard.messages import SERIES, close_ms, give_candle, give_event, give_prediction, give_score
from tests.gateway.serving import Client, ScriptedAdmin, gateway

STATIC = Path(page.__file__).parent / "static"
TOKEN = "planted-token-4711"
TYPESCRIPT = "typescript@7.0.2"


@pytest.fixture
def board() -> Dashboard:
    """A dashboard whose store the test fills: nothing is read."""
    reading = Reading(Settings(), KafkaConnection("127.0.0.1:1"))
    reading.trouble = {"forecasts": "nothing is read", "candles": "nothing is read"}
    return Dashboard(reading, asyncio.Event())


@pytest.fixture
async def client(board: Dashboard) -> AsyncIterator[Client]:
    async with gateway(ScriptedAdmin(), board=board, token=TOKEN, requests_per_second=1e4) as client:
        yield client


async def test_the_page_may_load_from_its_own_host_only_and_runs_no_inline_script(client: Client) -> None:
    told = await client.get("/")
    policy = told.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    html = told.body.decode()
    assert '<script async id="plotly" src="/static/plotly.min.js">' in html
    assert re.findall(r"<script(?![^>]*src=)", html) == []
    assert re.findall(r'(?:src|href)="(?!/static/)', html) == []
    assert re.findall(r"\s(?:style|on\w+)=", html) == []


async def test_every_file_is_sent_with_its_type_and_again_only_if_it_has_changed(client: Client) -> None:
    for name in [*os.listdir(STATIC), page.PLOTLY]:
        told = await client.get(f"/static/{name}")
        assert told.status == 200, name
        assert told.headers["x-content-type-options"] == "nosniff"
        zipped = await client.get(f"/static/{name}", accept_encoding="gzip")
        assert gzip.decompress(zipped.body) == told.body
        assert (await client.get(f"/static/{name}", if_none_match=told.headers["etag"])).status == 304
    for name in ("..%2Fapp.py", "app.py", "%2Fetc%2Fpasswd", ".."):
        assert (await client.get(f"/static/{name}")).status == 404


async def test_without_plotly_the_page_is_told_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "plotly_bundle", lambda: None)
    page._file.cache_clear()
    told, index = await client.get(f"/static/{page.PLOTLY}"), await client.get("/")
    page._file.cache_clear()
    assert b"plotly.min.js" not in index.body
    assert (told.status, told.code) == (404, "NOT_FOUND")
    assert 'pip install "stream-lstm[plots]"' in told.message


async def test_the_list_a_series_and_a_fan_of_the_past(client: Client, board: Dashboard) -> None:
    store = board.reading.store
    for hour in range(5):
        give_candle(store, hour)
        give_prediction(store, hour)
    told = (await client.get("/api/dashboard/series")).data
    assert [row[0] for row in told["rows"]] == [str(SERIES)]
    detail = (await client.get(f"/api/dashboard/detail?series={SERIES}")).data
    assert len(detail["candles"]) == 5
    assert detail["fan"]["paths"]["4h"]["times"][0] == close_ms(4)
    assert detail["ghosts"]["4h"]["asOf"] == close_ms(0)
    fan = (await client.get(f"/api/dashboard/fan?series={SERIES}&asOf={close_ms(1)}")).data
    assert fan["held"] == {"4h": [3, 3]}
    for path in (f"fan?series={SERIES}&asOf=1", "detail?series=x:y:1h", "detail?series=nonsense"):
        assert (await client.get(f"/api/dashboard/{path}")).status == 404
    for path in ("fan", "detail", f"fan?series={SERIES}&asOf=-1"):
        assert (await client.get(f"/api/dashboard/{path}")).status == 400


async def events(client: Client, query: str = "") -> AsyncIterator[tuple[str, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"GET /api/dashboard/stream%s HTTP/1.1\r\nHost: x\r\n\r\n" % query.encode())
    name = ""
    try:
        while line := await reader.readline():
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])
    finally:
        writer.close()


async def test_the_stream_says_all_at_first_and_then_what_has_changed(
    client: Client, board: Dashboard
) -> None:
    store = board.reading.store
    give_candle(store, 0)
    give_prediction(store, 0)
    give_event(store, "model.retrain_requested", close_ms(0))
    async with asyncio.timeout(20):
        stream = events(client, f"?series={SERIES}")
        first = [await anext(stream) for _ in range(4)]
        assert [name for name, _ in first] == ["status", "list", "series", "log"]
        assert first[0][1]["needsToken"] is True
        assert first[2][1]["whole"] is True
        assert "a training was asked for" in first[3][1]["events"][0]["text"]
        give_candle(store, 1)
        give_prediction(store, 1)
        give_score(store, 0, 100.0)
        second = [await anext(stream) for _ in range(2)]
        assert [name for name, _ in second] == ["rows", "series"]
        assert second[1][1]["asOf"] == close_ms(1)
        assert board.streams == 1
        board.stop.set()
        assert [name async for name in stream] == []
    assert board.streams == 0


async def test_a_page_waits_until_the_past_is_read(client: Client, board: Dashboard) -> None:
    board.reading.trouble.pop("candles")
    async with asyncio.timeout(20):
        stream = events(client)
        name, told = await anext(stream)
        assert (name, told["reading"]) == ("status", True)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(1.2)
        assert not waiting.done()
        board.reading.trouble["candles"] = "cannot be read"
        assert (await waiting)[0] == "status"
        assert (await anext(stream))[0] == "list"
        await stream.aclose()


async def test_streams_are_bounded(client: Client, board: Dashboard) -> None:
    board.streams = 100
    told = await client.get("/api/dashboard/stream")
    assert (told.status, told.code) == (503, "TOO_MANY_STREAMS")


@pytest.mark.parametrize(
    ("what", "done"),
    [("retrain", {"queued": True}), ("pause", {"paused": True}), ("resume", {"paused": False})],
)
async def test_what_the_buttons_do_needs_the_token(client: Client, what: str, done: dict[str, Any]) -> None:
    path = f"/api/ml/models/BTCUSDT/{what}?exchange=binance&interval=1h"
    assert (await client.post(path)).status == 401
    told = await client.post(path, authorization=f"Bearer {TOKEN}")
    assert done.items() <= told.data.items()


def test_our_javascript_is_what_its_types_say() -> None:
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("no npx: TypeScript checks the types of our JavaScript where Node.js is")
    flags = "--allowJs --checkJs --noEmit --strict --target es2022 --module es2022 --moduleResolution bundler"
    command = [npx, "--yes", "-p", TYPESCRIPT, "tsc", *flags.split(), "--lib", "es2022,dom,dom.iterable"]
    done = subprocess.run(
        [*command, *map(str, STATIC.glob("*.js"))], capture_output=True, text=True, timeout=110, check=False
    )
    if "npm error" in done.stderr:
        pytest.skip(f"TypeScript cannot be had: {done.stderr[:300]}")
    assert done.returncode == 0, done.stdout


def test_our_javascript_stays_small_and_asks_only_its_own_host() -> None:
    scripts = {path.name: path.read_text() for path in STATIC.glob("*.js")}
    for name, text in scripts.items():
        assert len(text.splitlines()) <= 400, name
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert "innerHTML" not in text, name
        functions = re.findall(r"^(?:export )?(?:async )?function (\w+)\([^)]*\w", text, re.MULTILINE)
        for function in functions:
            before = text[: text.index(f"function {function}(")].rstrip().removesuffix("export").rstrip()
            before = before.removesuffix("async").rstrip().removesuffix("export").rstrip()
            assert before.endswith("*/"), f"{name}: {function} has no JSDoc"
