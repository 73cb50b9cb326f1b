"""Token, size, rate, slow and broken clients, faults of ours; on a real socket."""

import asyncio
import json
import logging

import pytest

from stream_lstm.client import Command, Reply
from stream_lstm.gateway.guard import MOST_BYTES
from stream_lstm.gateway.rate import RateLimit
from tests.gateway.serving import Client, ScriptedAdmin, gateway

TOKEN = "planted-token-4711"


async def test_what_changes_state_needs_the_token_and_nothing_else_does() -> None:
    admin = ScriptedAdmin()
    async with gateway(admin, token=TOKEN) as client:
        for sent in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            for told in (
                await client.delete("/api/ml/models/BTCUSDT", **sent),
                await client.post("/api/ml/models/cleanup", None, **sent),
            ):
                assert (told.status, told.code) == (401, "UNAUTHORIZED")
                assert told.headers["www-authenticate"] == "Bearer"
                assert "http.token" in told.message
        assert admin.asked == []
        assert (await client.get("/api/ml/models")).status == 200
        assert (await client.post("/api/ml/predict/lstm", {"symbol": "A", "horizon": "1h"})).status == 200
        right = {"authorization": f"Bearer {TOKEN}"}
        assert (await client.delete("/api/ml/models/BTCUSDT", **right)).status == 200
        assert (await client.post("/api/ml/models/cleanup", None, **right)).status == 200


async def test_without_a_token_nobody_needs_one() -> None:
    async with gateway(ScriptedAdmin()) as client:
        assert (await client.delete("/api/ml/models/BTCUSDT")).status == 200


async def test_a_body_that_is_too_large_is_413_and_the_client_reads_it() -> None:
    admin = ScriptedAdmin()
    async with gateway(admin) as client:
        for size in (MOST_BYTES + 1, 5 * MOST_BYTES):
            body = json.dumps({"symbol": "A", "horizon": "1h", "x": "y" * size}).encode()
            told = await client.post("/api/ml/predict/lstm", body)
            assert (told.status, told.code) == (413, "REQUEST_TOO_LARGE")
        assert admin.asked == []
        body = json.dumps({"symbol": "A", "horizon": "1h", "x": "y" * (MOST_BYTES - 100)}).encode()
        assert (await client.post("/api/ml/predict/lstm", body)).status == 200


async def test_a_body_without_end_is_cut_off() -> None:
    async with gateway(ScriptedAdmin()) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"POST /api/ml/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        for _ in range(17):
            writer.write(chunk)
        async with asyncio.timeout(20):
            assert b" 413 " in await reader.readline()
        writer.close()


async def test_headers_and_urls_are_bounded() -> None:
    async with gateway(ScriptedAdmin()) as client:
        for head in (
            b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000,
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(head)
            async with asyncio.timeout(20):
                assert b" 400 " in await reader.readline()
            writer.close()


async def test_too_many_requests_of_one_address_are_429_with_the_time_to_wait() -> None:
    now = 0.0
    async with gateway(ScriptedAdmin(), requests_per_second=0.5, clock=lambda: now) as client:
        assert (await client.get("/api/ml/health")).status == 200
        told = await client.get("/api/ml/health")
        assert (told.status, told.code, told.headers["retry-after"]) == (429, "TOO_MANY_REQUESTS", "2")
        assert "http.requests_per_second" in told.message
        now = 2.0
        assert (await client.get("/api/ml/health")).status == 200


def test_addresses_have_buckets_of_their_own_and_memory_is_bounded() -> None:
    limit = RateLimit(1.0, 1, lambda: 0.0)
    assert [limit.wait("a"), limit.wait("b"), limit.wait("a")] == [0.0, 0.0, 1.0]
    for number in range(10_000):
        limit.wait(str(number))
    assert limit.wait("a") == 0.0  # forgotten
    assert len(limit._buckets) == 10_000


class Broken(ScriptedAdmin):
    async def command(self, command: Command, *, timeout: float | None = None) -> Reply:  # noqa: ASYNC109
        raise RuntimeError("an inner matter")


async def test_a_fault_of_ours_is_an_answer_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "stream_lstm.gateway"):
        async with gateway(Broken()) as client:
            told = await client.get("/api/ml/models", origin="http://localhost:3001")
    assert (told.status, told.code) == (500, "INTERNAL_ERROR")
    assert told.headers["access-control-allow-origin"] == "*"
    assert "inner matter" not in told.message
    assert "GET /api/ml/models failed" in caplog.text
    assert "inner matter" in caplog.text


async def test_a_client_that_leaves_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async with gateway(ScriptedAdmin()) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"POST /api/ml/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await client.get("/api/ml/models")).status == 200
    assert "failed" not in caplog.text


async def test_many_at_once_are_all_answered() -> None:
    async with gateway(ScriptedAdmin(), requests_per_second=10_000) as client:
        told = await asyncio.gather(*(client.get(f"/api/ml/models/S{n}/stats") for n in range(100)))
    assert [each.data["symbol"] for each in told] == [f"S{n}" for n in range(100)]


async def test_a_stop_lets_requests_end(caplog: pytest.LogCaptureFixture) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedAdmin):
        async def command(self, command: Command, *, timeout: float | None = None) -> Reply:  # noqa: ASYNC109
            begun.set()
            await go_on.wait()
            return await super().command(command)

    asking: asyncio.Task[object]
    async with gateway(Slow()) as client:
        asking = asyncio.create_task(Client(client.port).get("/api/ml/models"))
        await begun.wait()
        asyncio.get_running_loop().call_later(0.3, go_on.set)
    told = await asking
    assert getattr(told, "status") == 200  # noqa: B009
