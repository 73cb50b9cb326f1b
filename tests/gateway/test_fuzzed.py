"""What the OpenAPI document promises, against requests drawn from it and from next to it."""

import asyncio
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from stream_lstm.client import Command
from stream_lstm.contracts.reply import Code
from stream_lstm.gateway.app import create_app
from stream_lstm.gateway.server import serve
from tests.client.scripted import Answer, Body, answered, refusal
from tests.gateway.serving import ScriptedAdmin

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TOKEN: Final = "planted"
AS_DESCRIBED: Final = [response_schema_conformance, status_code_conformance]
THOROUGH: Final = settings(
    max_examples=60,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)


@contextmanager
def served(answer: Answer | None = None, token: str | None = None) -> Iterator[str]:
    """A gateway in a thread of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop, ready = asyncio.Event(), threading.Event()
        loop = asyncio.new_event_loop()

        async def work() -> None:
            app = create_app(ScriptedAdmin(answer), token=token, requests_per_second=1e6)
            ready.set()
            await serve(app, listener, stop)

        thread = threading.Thread(target=loop.run_until_complete, args=(work(),))
        thread.start()
        ready.wait(10)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()


def any_answer(command: Command) -> Body:
    """Success, or any code of the contract."""
    code = random.Random(command.command_id).choice([None, *get_args(Code)])
    return {"data": answered(command)} if code is None else refusal(code)


def every_case(address: str, check: Callable[[Any], None]) -> int:
    """Draw requests to every operation, proper ones and others; how many operations there are."""
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in operations:
        for mode in GenerationMode:
            with suppress(Unsatisfiable):  # an operation without anything to be wrong
                THOROUGH(given(operation.as_strategy(generation_mode=mode))(check))()
    return len(operations)


def test_no_request_makes_it_fail_and_every_answer_is_as_described() -> None:
    def check(case: Any) -> None:
        case.call_and_validate(checks=[not_a_server_error, *AS_DESCRIBED])

    with served() as address:
        assert every_case(address, check) == 12


def test_every_failure_is_as_described() -> None:
    def check(case: Any) -> None:
        knows = random.Random(repr(case.body)).random() < 0.7
        response = case.call(headers={"Authorization": f"Bearer {TOKEN}"} if knows else {})
        case.validate_response(response, checks=AS_DESCRIBED)

    with served(any_answer, TOKEN) as address:
        assert every_case(address, check) == 12
