"""OAUTHBEARER: where a token comes from. One source for all clients of a connection.

Every source raises `TokenUnavailable` for what may pass and `TokenRefused` for what does not; neither shows
a token, a secret, or what somebody else's code has put into its exceptions.
"""

import asyncio
import base64
import importlib
import inspect
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.errors import KafkaError

from stream_lstm.errors import SettingsError

_ANSWER_SECONDS: Final = 10.0
_USED: Final = 0.8
"""Share of a token's life after which the next one is fetched."""
_SHORT_LIFE_SECONDS: Final = 300.0
"""Of a token whose endpoint does not tell."""
_LONGEST_ANSWER: Final = 1_000_000


class TokenUnavailable(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """There is no token now."""

    retriable = True


class TokenRefused(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """There will be no token until somebody changes something."""


class Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Gives aiokafka a token for each connection. `get` blocks, and is called in a thread."""

    def __init__(self, get: Callable[[], Any], extensions: Mapping[str, str]) -> None:
        self._get = get
        self._extensions = dict(extensions)

    async def token(self) -> str:
        """A token that is good now. Raises `TokenUnavailable`, `TokenRefused`."""
        found = await asyncio.to_thread(self._get)
        token = await _awaited(found) if inspect.isawaitable(found) else found
        if not isinstance(token, str) or not token:
            raise TokenRefused(f"the source of tokens gave a {type(token).__name__}, and no text")
        return token

    def extensions(self) -> dict[str, str]:
        """What is sent with the token."""
        return self._extensions


class _Authenticator(OAuthAuthenticator):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka takes every answer to a token for a yes; a refusal is one with a body (RFC 7628, 3.2.2)."""

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        """What is to be sent next; None when the broker has said yes."""
        if self._token_sent and payload:
            status = _field(payload, "status")
            raise TokenRefused(f"the broker refuses it{status}: expired, or not one for this broker")
        step: tuple[bytes, bool] | None = await super().step(payload)
        return step


def _authenticator(connection: AIOKafkaConnection) -> _Authenticator:
    return _Authenticator(sasl_oauth_token_provider=connection._sasl_oauth_token_provider)


AIOKafkaConnection.authenticator_oauth = _authenticator


def of_file(path: Path, extensions: Mapping[str, str]) -> Tokens:
    """The token that a file holds at the moment."""

    def read() -> str:
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "no text in UTF-8"
            raise TokenUnavailable(f"the file {path} of kafka.security.oauth_file: {why}") from None

    return Tokens(read, extensions)


def of_function(name: str, extensions: Mapping[str, str]) -> Tokens:
    """What a function of the user's returns, or a coroutine of it. Raises `SettingsError`."""
    module, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        told = f"kafka.security.oauth_provider = {name} cannot be imported: {error}"
        raise SettingsError(f"{told}; is its folder in PYTHONPATH?") from error
    if not callable(function):
        raise SettingsError(f"kafka.security.oauth_provider = {name} is no function but {type(function)}")

    def call() -> Any:
        try:
            return function()
        except Exception as error:  # noqa: BLE001  # whatever it raises, aiokafka must not die of it
            _failed(error)

    return Tokens(call, extensions)


async def _awaited(coroutine: Any) -> Any:
    try:
        return await coroutine
    except Exception as error:  # noqa: BLE001  # whatever it raises, aiokafka must not die of it
        _failed(error)


def _failed(error: Exception) -> NoReturn:
    if isinstance(error, KafkaError):
        raise error
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    # Not its text: who handles tokens may have put one into it.
    raise TokenUnavailable(
        f"kafka.security.oauth_provider raised {type(error).__name__} at {where}"
    ) from None


class Credentials(NamedTuple):
    """A client of the token endpoint."""

    id: str
    secret: str
    scope: str | None

    def __repr__(self) -> str:
        return f"Credentials(id={self.id!r})"


def of_endpoint(url: str, credentials: Credentials, extensions: Mapping[str, str]) -> Tokens:
    """Tokens of an OAuth endpoint (RFC 6749, client credentials), kept for most of their life."""
    return Tokens(_Endpoint(url, credentials).current, extensions)


class _Endpoint:
    def __init__(
        self, url: str, credentials: Credentials, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._credentials = credentials
        self._clock = clock
        self._turn = threading.Lock()
        self._token = ""
        self._until = 0.0

    def current(self) -> str:
        """The token at hand, or a fresh one. Blocks; whoever comes meanwhile waits for the same answer."""
        with self._turn:
            now = self._clock()
            if not self._token or now >= self._until:
                self._token, life = self._fetch()
                self._until = now + _USED * life
            return self._token

    def _fetch(self) -> tuple[str, float]:
        client, secret, scope = self._credentials
        pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
        body = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair).decode()}",
            "Accept": "application/json",
        }
        request = Request(self._url, urlencode(body).encode(), headers)
        host = f"the token endpoint at {urlsplit(self._url).hostname}"
        try:
            with build_opener(_NoRedirects).open(request, timeout=_ANSWER_SECONDS) as response:
                answer = orjson.loads(response.read(_LONGEST_ANSWER))
            return str(answer["access_token"]), float(answer.get("expires_in", _SHORT_LIFE_SECONDS))
        except HTTPError as error:
            with error:
                told = f"{host} answers {error.code}{_code(error)}"
            if error.code >= 500 or error.code == 429:
                raise TokenUnavailable(told) from None
            raise TokenRefused(
                f"{told}: check oauth_client_id, its secret, oauth_scope and oauth_url"
            ) from None
        except (OSError, HTTPException) as error:  # URLError too, whose reason is what has happened
            why = getattr(error, "reason", error)
            if isinstance(why, ssl.SSLCertVerificationError):
                told = f"{host} shows a certificate that is not trusted ({why.verify_message})"
                raise TokenRefused(f"{told}: SSL_CERT_FILE may name its CA") from None
            raise TokenUnavailable(f"{host} cannot be reached: {why}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TokenRefused(f"{host} gives no JSON with an access_token: is oauth_url right?") from None


def _code(error: HTTPError) -> str:
    """The `error` of RFC 6749, section 5.2, and nothing else of the answer."""
    try:
        return _field(error.read(_LONGEST_ANSWER), "error")
    except (OSError, HTTPException):
        return ""


def _field(body: bytes, name: str) -> str:
    """A word of a JSON object for a message; nothing if it is none."""
    try:
        word = orjson.loads(body)[name]
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({word})" if isinstance(word, str) and word.isidentifier() else ""


class _NoRedirects(HTTPRedirectHandler):
    """Our credentials go to the endpoint that was named, and nowhere else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None
