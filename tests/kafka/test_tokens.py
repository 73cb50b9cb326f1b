"""Tokens for OAUTHBEARER: from an endpoint, a file, a function."""

import asyncio
import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_lstm.errors import SettingsError
from stream_lstm.kafka import tokens
from stream_lstm.kafka.tokens import Credentials, TokenRefused, TokenUnavailable
from tests.token_endpoint import TokenEndpoint, token_endpoint

SECRET = "hunter2/+ &"
CREDENTIALS = Credentials("bot", SECRET, "kafka")


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as endpoint:
        yield endpoint


async def test_all_clients_share_a_token_for_most_of_its_life(endpoint: TokenEndpoint) -> None:
    now = 0.0
    source = tokens._Endpoint(endpoint.url, CREDENTIALS, clock=lambda: now)
    provider = tokens.Tokens(source.current, {})
    assert set(await asyncio.gather(*(provider.token() for _ in range(20)))) == {"token-1"}
    now = 79.0
    assert await provider.token() == "token-1"
    now = 80.0
    assert await provider.token() == "token-2"
    header, body = endpoint.asked[0]
    assert base64.b64decode(header.removeprefix("Basic ")) == b"bot:hunter2%2F%2B%20%26"
    assert body == {"grant_type": ["client_credentials"], "scope": ["kafka"]}


@pytest.mark.parametrize(
    ("status", "answer", "error", "told"),
    [
        (
            401,
            {"error": "invalid_client", "x": SECRET},
            TokenRefused,
            r"answers 401 \(invalid_client\): check",
        ),
        (400, b"hunter2/+ &", TokenRefused, "answers 400: check oauth_client_id"),
        (503, {}, TokenUnavailable, "answers 503"),
        (429, {}, TokenUnavailable, "answers 429"),
        (200, b"<html>hunter2/+ &", TokenRefused, "no JSON with an access_token"),
        (200, {"token": SECRET}, TokenRefused, "no JSON with an access_token"),
    ],
)
async def test_what_an_endpoint_refuses_is_told_from_what_it_cannot_do_now(
    endpoint: TokenEndpoint, status: int, answer: object, error: type[Exception], told: str
) -> None:
    endpoint.status, endpoint.answer = status, answer
    with pytest.raises(error, match=told) as caught:
        await tokens.of_endpoint(endpoint.url, CREDENTIALS, {}).token()
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r} {CREDENTIALS}"


async def test_credentials_do_not_follow_a_redirect(endpoint: TokenEndpoint) -> None:
    endpoint.status, endpoint.location = 302, f"{endpoint.url}/elsewhere"
    with pytest.raises(TokenRefused, match="answers 302"):
        await tokens.of_endpoint(endpoint.url, CREDENTIALS, {}).token()
    assert len(endpoint.asked) == 1


async def test_an_endpoint_that_is_away_is_waited_for() -> None:
    with pytest.raises(TokenUnavailable, match="cannot be reached") as caught:
        await tokens.of_endpoint("http://127.0.0.1:1/", CREDENTIALS, {}).token()
    assert caught.value.retriable


async def test_a_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    provider = tokens.of_file(file, {"logicalCluster": "lkc-1"})
    assert provider.extensions() == {"logicalCluster": "lkc-1"}
    with pytest.raises(TokenUnavailable, match="No such file"):
        await provider.token()
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert await provider.token() == token


def plain() -> str:
    return "of a function"


async def awaited() -> str:
    return "of a coroutine"


def number() -> int:
    return 7


def broken() -> str:
    raise RuntimeError(SECRET)


async def broken_later() -> str:
    raise RuntimeError(SECRET)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name under which this module can be imported."""
    monkeypatch.setitem(sys.modules, "provider_of_tokens", sys.modules[__name__])
    return "provider_of_tokens"


async def test_a_function_of_the_users_may_wait_or_not(here: str) -> None:
    assert await tokens.of_function(f"{here}:plain", {}).token() == "of a function"
    assert await tokens.of_function(f"{here}.awaited", {}).token() == "of a coroutine"
    with pytest.raises(TokenRefused, match="gave a int"):
        await tokens.of_function(f"{here}:number", {}).token()


@pytest.mark.parametrize("name", ["broken", "broken_later"])
async def test_what_a_function_raises_is_placed_and_not_quoted(here: str, name: str) -> None:
    with pytest.raises(TokenUnavailable, match=r"raised RuntimeError at .*test_tokens\.py:\d+") as caught:
        await tokens.of_function(f"{here}:{name}", {}).token()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["no_such_module:f", "json:no_such_function", "json:__name__"])
def test_a_function_that_is_none_is_refused_at_once(name: str) -> None:
    with pytest.raises(SettingsError, match=f"kafka.security.oauth_provider = {name}"):
        tokens.of_function(name, {})
