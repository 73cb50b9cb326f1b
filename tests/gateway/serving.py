"""A gateway on a real socket, and what talks to it."""

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from stream_lstm.client import Command, ModelAdmin, Reply
from stream_lstm.gateway.app import create_app
from stream_lstm.gateway.server import serve
from tests.client.scripted import Answer, answered, reply


class Told(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def data(self) -> Any:
        """Of a successful one."""
        assert self.status == 200, self
        assert self.body["success"] is True
        assert isinstance(self.body["timestamp"], int)
        assert self.body.keys() == {"success", "data", "timestamp"}
        return self.body["data"]

    @property
    def code(self) -> str:
        """Of a failed one."""
        assert self.body["success"] is False
        assert isinstance(self.body["timestamp"], int)
        assert self.body.keys() == {"success", "error", "timestamp"}
        assert self.body["error"].keys() == {"code", "message"}
        return str(self.body["error"]["code"])

    @property
    def message(self) -> str:
        assert self.code
        return str(self.body["error"]["message"])


class Client:
    """Sends requests over sockets of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def get(self, path: str, **headers: str) -> Told:
        return await self.request("GET", path, None, **headers)

    async def delete(self, path: str, **headers: str) -> Told:
        return await self.request("DELETE", path, None, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Told:
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return await self.request("POST", path, sent, **headers)

    async def request(self, method: str, path: str, body: bytes | None, **headers: str) -> Told:
        return await asyncio.to_thread(self._request, method, path, body, headers)

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Told:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            content = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return Told(answer.status, lower, json.loads(content) if is_json else content)
        finally:
            connection.close()


class ScriptedAdmin(ModelAdmin):
    """Answers from a script, without Kafka."""

    def __init__(self, answer: Answer | None = None, *, ill: str | None = None) -> None:
        super().__init__("127.0.0.1:1")
        self.asked: list[Command] = []
        self.ill = ill
        self._answer = answer or (lambda command: {"data": answered(command)})

    async def command(self, command: Command, *, timeout: float | None = None) -> Reply:  # noqa: ASYNC109
        self.asked.append(command)
        changes = self._answer(command)
        assert changes is not None
        return Reply.model_validate(reply(command.command_id, command.command, **changes))

    async def trouble(self, seconds: float = 2.0) -> str | None:
        return self.ill


@asynccontextmanager
async def gateway(admin: ModelAdmin, **options: Any) -> AsyncIterator[Client]:
    """An application that is served until the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = asyncio.Event()
        port = listener.getsockname()[1]
        serving = asyncio.create_task(serve(create_app(admin, **options), listener, stop))
        try:
            yield Client(port)
        finally:
            stop.set()
            async with asyncio.timeout(10):
                await serving
