import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from stream_lstm.errors import SettingsError
from stream_lstm.observability.metrics import Metrics
from stream_lstm.observability.server import HealthServer


class Health:
    """What the checks answer; the test sets it."""

    def __init__(self) -> None:
        self.live = (True, {"reason": None})
        self.ready = (False, {"joined": True, "restored": False})
        self.metrics = Metrics.create()
        self.server = HealthServer(
            "127.0.0.1", 0, self.metrics.registry, livez=lambda: self.live, readyz=lambda: self.ready
        )

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=5)
        try:
            connection.request(method, path)
            response: HTTPResponse = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def json(self, path: str) -> tuple[int, Any]:
        status, body = self.get(path)
        return status, json.loads(body)


@pytest.fixture
def health() -> Iterator[Health]:
    one = Health()
    one.server.start()
    yield one
    one.server.stop()


def test_port_zero_takes_a_free_port_and_tells_which(health: Health) -> None:
    assert health.server.port > 0


def test_what_is_well_answers_200_with_its_details(health: Health) -> None:
    assert health.json("/livez") == (200, {"ok": True, "reason": None})


def test_what_is_not_well_answers_503_and_says_why(health: Health) -> None:
    assert health.json("/readyz") == (503, {"ok": False, "joined": True, "restored": False})


def test_an_answer_is_as_of_the_request(health: Health) -> None:
    health.live = (False, {"reason": "the event loop has not turned for 61 s"})

    assert health.json("/livez") == (503, {"ok": False, "reason": "the event loop has not turned for 61 s"})


def test_metrics_are_served_as_text(health: Health) -> None:
    health.metrics.stream.dead_letters.labels("not-json").inc()

    status, page = health.get("/metrics")
    assert status == 200
    assert 'stream_lstm_dead_letters_total{reason="not-json"} 1.0' in page


def test_another_path_is_answered_with_the_ones_there_are(health: Health) -> None:
    status, body = health.json("/health")

    assert status == 404
    assert body == {"error": "no /health", "paths": ["/metrics", "/livez", "/readyz"]}


def test_nothing_but_reading_is_allowed(health: Health) -> None:
    assert health.get("/livez", "POST")[0] == 405
    assert health.get("/livez", "HEAD")[0] == 200


async def test_it_answers_while_the_event_loop_is_blocked(health: Health) -> None:
    answered = threading.Event()
    answers = []

    def ask() -> None:
        answers.append(health.json("/livez"))
        answered.set()

    asking = asyncio.get_running_loop().run_in_executor(None, ask)
    assert answered.wait(5)  # blocks the loop until the answer is there
    await asking

    assert answers == [(200, {"ok": True, "reason": None})]


def test_a_client_that_says_nothing_holds_nobody_up(health: Health) -> None:
    with socket.create_connection(("127.0.0.1", health.server.port)):
        assert health.json("/livez")[0] == 200


def test_a_taken_port_is_refused_with_the_setting_and_the_way_out(health: Health) -> None:
    second = HealthServer(
        "127.0.0.1",
        health.server.port,
        health.metrics.registry,
        livez=lambda: health.live,
        readyz=lambda: health.ready,
    )

    with pytest.raises(SettingsError, match=rf"metrics\.port.*:{health.server.port}.*0 for any free one"):
        second.start()


def test_a_host_that_is_not_ours_is_refused() -> None:
    health = Health()
    health.server.host = "192.0.2.1"

    with pytest.raises(SettingsError, match=r"metrics\.host"):
        health.server.start()


def test_after_stop_the_port_is_free_again() -> None:
    health = Health()
    health.server.start()
    health.server.stop()

    with socket.create_server(("127.0.0.1", health.server.port)):
        pass


def test_stopping_what_never_started_is_no_error() -> None:
    Health().server.stop()
