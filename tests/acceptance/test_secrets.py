"""A secret in every setting that takes one: nothing that is said, logged or served shows it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_lstm.kafka import acls
from stream_lstm.kafka.acls import Installation
from stream_lstm.kafka.bound_process import BoundProcess
from tests.acceptance.conftest import Application
from tests.acceptance.rights import Rights
from tests.acceptance.test_trouble import SETTINGS, a_market, assert_each_prediction_is_there
from tests.gateway.serving import Client
from tests.secured import PASSWORD, USER, Secured, unsigned_token
from tests.token_endpoint import TokenEndpoint, token_endpoint

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

KEY_PASSWORD, CLIENT_SECRET, HTTP_TOKEN = "pa55-of-the-key", "secret-of-the-client", "t0ken-of-http"


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as endpoint:
        endpoint.answer = {"access_token": unsigned_token(), "expires_in": 600}
        yield endpoint


def plant(
    monkeypatch: pytest.MonkeyPatch, secured: Secured, mechanism: str, endpoint: TokenEndpoint, folder: Path
) -> None:
    """Set every secret that goes with a mechanism, in the environment of what is started from now on."""
    own = secured.authority.issue("worker.example", password=KEY_PASSWORD.encode()).write(folder, "own")
    of_password = {"username": USER, "password": PASSWORD}
    of_token = {
        "oauth_url": endpoint.url,
        "oauth_client_id": "client",
        "oauth_client_secret": CLIENT_SECRET,
    }
    ways = {
        "protocol": "SASL_SSL",
        "mechanism": mechanism,
        "ca_file": str(secured.ca_file),
        "cert_file": str(own.certificate),
        "key_file": str(own.key),
        "key_password": KEY_PASSWORD,
    }
    ways |= of_token if mechanism == "OAUTHBEARER" else of_password
    for name, value in ways.items():
        monkeypatch.setenv(f"STREAM_LSTM_KAFKA__SECURITY__{name.upper()}", value)
    monkeypatch.setenv("STREAM_LSTM_HTTP__TOKEN", HTTP_TOKEN)
    monkeypatch.setenv("STREAM_LSTM_LOG__LEVEL", "debug")


async def served(own: Application, secured: Secured) -> str:
    """What a gateway says, in its log too."""
    log = own.folder / "gateway.log"
    options = {
        "kafka.bootstrap_servers": secured.servers("SASL_TLS"),
        "topics.prefix": own.names.prefix,
        "http.port": "0",
    }
    command = [sys.executable, "-m", "stream_lstm", "gateway"]
    command += [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    gateway = BoundProcess(command, log)
    try:
        async with asyncio.timeout(60):
            while "gateway on http://" not in log.read_text():
                assert gateway.exit_code is None, log.read_text()
                await asyncio.sleep(0.1)
        client = Client(int(log.read_text().split("gateway on http://127.0.0.1:")[1].split()[0]))
        told = [
            await client.get("/openapi.json"),
            await client.get("/api/ml/health"),
            await client.get("/api/ml/models"),
            await client.delete("/api/ml/models/X"),
            await client.delete("/api/ml/models/X", authorization=f"Bearer {HTTP_TOKEN}"),
        ]
        assert [each.status for each in told[:4]] == [200, 200, 200, 401]
    finally:
        await asyncio.to_thread(gateway.stop, 10)
    return f"{told} {log.read_text()}"


def called(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "stream_lstm", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512", "OAUTHBEARER"])
async def test_no_log_event_answer_or_error_shows_a_secret(
    own: Application,
    given: Rights,
    secured: Secured,
    endpoint: TokenEndpoint,
    mechanism: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = Installation(own.names, [own.candles], [], own.settings["kafka.group"])
    await given.allow([*acls.worker(at), *acls.gateway(at)], f"User:{USER}")
    await own.feed(a_market())
    plant(monkeypatch, secured, mechanism, endpoint, tmp_path)
    own.start_worker(**SETTINGS, kafka__bootstrap_servers=secured.servers("SASL_TLS"))
    await assert_each_prediction_is_there(own)
    said = await served(own, secured) + own.log_of(0)
    for topic in ("model-events", "predictions", "scores", "control", "candles.dlq"):
        for record in await own.read(topic):
            said += f"{record.key!r} {record.value!r} {record.headers}"
    said += called("config", "show") + called("config", "show", "--json")
    said += called("topics", "create", "--set", f"kafka.bootstrap_servers={secured.servers('TLS')}")
    said += called("watch", "--set", f"kafka.bootstrap_servers={secured.servers('SASL_TLS', '127.0.0.1')}")
    said += called("config", "show", "--set", "kafka.security.protocol=SSL")
    assert "kafka.security.key_password" in said
    assert "asks nobody who they are" in said
    assert "certificate is not for '127.0.0.1'" in said
    planted = [KEY_PASSWORD, HTTP_TOKEN, CLIENT_SECRET, unsigned_token()[:40], PASSWORD]
    assert [secret for secret in planted if secret in said] == []
