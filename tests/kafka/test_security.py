"""Every way to say who we are, at a real broker, and what is said when it does not work."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from stream_lstm.client import KafkaConnection, ModelAdmin, PredictionStream
from stream_lstm.errors import BrokerError, SettingsError, TopicMissing
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline
from stream_lstm.settings.security import Security
from tests.certificates import Authority
from tests.secured import PASSWORD, USER, Secured, secured_kafka, unsigned_token

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

Connect = Callable[[Secured, Path], KafkaConnection]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as secured:
        yield secured


async def ask(connection: KafkaConnection, seconds: float = 20) -> None:
    try:
        await topic_admin.partition_counts(connection, Deadline(seconds))
    finally:
        await asyncio.sleep(0.05)  # aiokafka lets go of a socket that was refused a moment later


def of_token(at: Secured, folder: Path, token: str) -> KafkaConnection:
    file = folder / "token"
    file.write_text(f"{token}\n")
    way = Security(protocol="SASL_SSL", mechanism="OAUTHBEARER", ca_file=at.ca_file, oauth_file=file)
    return at.connection("SASL_TLS", way)


def of_nobody(at: Secured, listener: str, *, tls: bool, host: str = "localhost") -> KafkaConnection:
    way = Security(protocol="SSL", ca_file=at.ca_file) if tls else Security()
    return at.connection(listener, way, host)


def of_clear(at: Secured, servers: str, mechanism: str = "SCRAM-SHA-512") -> KafkaConnection:
    given = {"protocol": "SASL_PLAINTEXT", "mechanism": mechanism, "username": USER, "password": PASSWORD}
    return KafkaConnection(servers, security=Security.model_validate(given))


def of_password_file(at: Secured, folder: Path) -> KafkaConnection:
    file = folder / "password"
    file.write_text(f"{PASSWORD}\n")
    given = {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": USER, "ca_file": at.ca_file}
    return at.connection("SASL_TLS", Security.model_validate(given | {"password_file": file}))


def of_certificate(
    at: Secured, cert: Path, key: Path | None = None, password: str | None = None
) -> KafkaConnection:
    way = Security(
        protocol="SSL",
        ca_file=at.ca_file,
        cert_file=cert,
        key_file=key,
        key_password=SecretStr(password) if password else None,
    )
    return at.connection("MTLS", way)


def foreign(folder: Path) -> Path:
    return Authority().issue("somebody").write(folder, "foreign").both


def encrypted(at: Secured, folder: Path) -> KafkaConnection:
    files = at.authority.issue("worker.example", password=b"hunter2").write(folder, "closed")
    return of_certificate(at, files.certificate, files.key, "hunter2")


WAYS: dict[str, Connect] = {
    "PLAIN": lambda at, _: at.connection("SASL_TLS", at.scram(mechanism="PLAIN")),
    "a password in a file": of_password_file,
    "SCRAM-SHA-256": lambda at, _: at.connection("SASL_TLS", at.scram(mechanism="SCRAM-SHA-256")),
    "SCRAM-SHA-512": lambda at, _: at.connection("SASL_TLS", at.scram()),
    "SCRAM in plain text": lambda at, _: of_clear(at, at.servers("SASL_CLEAR")),
    "OAUTHBEARER": lambda at, folder: of_token(at, folder, unsigned_token()),
    "TLS": lambda at, _: of_nobody(at, "TLS", tls=True),
    "mTLS": lambda at, _: of_certificate(at, at.client.certificate, at.client.key),
    "mTLS with one file": lambda at, _: of_certificate(at, at.client.both),
    "mTLS with an encrypted key": encrypted,
    "any name": lambda at, _: at.connection("SASL_TLS", at.scram(check_hostname=False), "127.0.0.1"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_is_let_in_and_its_log_tells_no_secret(
    secured: Secured, tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await ask(WAYS[way](secured, tmp_path))
    assert "Request to" in caplog.text
    assert PASSWORD not in caplog.text
    assert unsigned_token()[:30] not in caplog.text


REFUSED: dict[str, tuple[Connect, str]] = {
    "wrong password": (
        lambda at, _: at.connection("SASL_TLS", at.scram("hunter2")),
        "Kafka refuses SCRAM-SHA-512 as 'worker' .*invalid credentials.*check kafka.security.username and",
    ),
    "wrong password, PLAIN": (
        lambda at, _: at.connection("SASL_TLS", at.scram("hunter2", mechanism="PLAIN")),
        "Kafka refuses PLAIN as 'worker'",
    ),
    "expired token": (
        lambda at, folder: of_token(at, folder, unsigned_token(seconds=-1_000)),
        r"no token for OAUTHBEARER: the broker refuses it \(invalid_token\): expired",
    ),
    "no token at all": (
        lambda at, folder: of_token(at, folder, "hunter2"),
        "no token for OAUTHBEARER: the broker refuses it",
    ),
    "unknown CA": (
        lambda at, folder: at.connection(
            "SASL_TLS", at.scram(ca_file=Authority("another").write(folder / "another.pem"))
        ),
        "certificate is not trusted .*kafka.security.ca_file must hold",
    ),
    "a CA that this machine does not know": (
        lambda at, _: at.connection("SASL_TLS", at.scram(ca_file=None)),
        "certificate is not trusted .*kafka.security.ca_file must hold",
    ),
    "another name": (
        lambda at, _: at.connection("SASL_TLS", at.scram(), "127.0.0.1"),
        "certificate is not for '127.0.0.1': connect to a name that is in it",
    ),
    "expired certificate": (
        lambda at, _: of_nobody(at, "EXPIRED", tls=True),
        "has expired: it must be renewed",
    ),
    "mechanism not offered": (
        lambda at, _: of_clear(at, at.servers("SASL_CLEAR"), "PLAIN"),
        "does not offer PLAIN: it offers SCRAM-SHA-512; set kafka.security.mechanism",
    ),
    "SASL on a TLS port": (
        lambda at, _: at.connection("TLS", at.scram()),
        "asks nobody who they are, and kafka.security.protocol = SASL_SSL",
    ),
    "SASL on a plain port": (
        lambda at, _: of_clear(at, at.kafka.bootstrap_servers),
        "asks nobody who they are, and kafka.security.protocol = SASL_PLAINTEXT",
    ),
    "no certificate of ours": (
        lambda at, _: of_nobody(at, "MTLS", tls=True),
        r"wants a certificate of ours \(mTLS.*set kafka.security.cert_file",
    ),
    "a certificate of ours that it does not know": (
        lambda at, folder: of_certificate(at, foreign(folder)),
        "does not accept our certificate .*signed by a CA that it trusts",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refusal_is_said_at_once_with_its_place_and_the_way_out(
    secured: Secured, tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    connect, told = REFUSED[case]
    connection = connect(secured, tmp_path)
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(BrokerError, match=f"{connection.bootstrap_servers}: .*{told}") as caught,
    ):
        await ask(connection, seconds=3_600)
    assert "hunter2" not in f"{caught.value} {connection} {caplog.text}"
    assert PASSWORD not in caplog.text


async def test_a_broker_that_sends_us_on_to_a_name_that_is_not_in_its_certificate(secured: Secured) -> None:
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:.*is not for '127\.0\.0\.1'"):
        await ask(of_nobody(secured, "ELSEWHERE", tls=True))


PERHAPS: dict[str, tuple[Connect, str]] = {
    "TLS on a plain port": (
        lambda at, _: KafkaConnection(
            at.kafka.bootstrap_servers, security=Security(protocol="SSL", ca_file=at.ca_file)
        ),
        "SSL.: perhaps the listener speaks no TLS",
    ),
    "SASL over TLS on a plain port": (
        lambda at, _: at.connection("SASL_CLEAR", at.scram()),
        "SASL_SSL.: perhaps the listener speaks no TLS",
    ),
    "plain text on a TLS port": (
        lambda at, _: of_nobody(at, "TLS", tls=False),
        "PLAINTEXT.: perhaps the listener wants TLS or SASL",
    ),
    "nobody on a SASL port": (
        lambda at, _: of_nobody(at, "SASL_CLEAR", tls=False),
        "PLAINTEXT.: perhaps the listener wants TLS or SASL",
    ),
    "nobody on a SASL port over TLS": (
        lambda at, _: of_nobody(at, "SASL_TLS", tls=True),
        "SSL.: perhaps the listener speaks no TLS, or wants SASL",
    ),
    "a broker that is away": (
        lambda at, _: KafkaConnection("localhost:1", security=at.scram()),
        "nobody listens there",
    ),
    "a name that is none": (
        lambda at, _: KafkaConnection("no.such.invalid:1", security=at.scram()),
        "no such host",
    ),
}


@pytest.mark.parametrize("case", PERHAPS)
async def test_what_may_pass_is_said_and_tried_again(
    secured: Secured, tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    connect, told = PERHAPS[case]
    connection = connect(secured, tmp_path)
    with pytest.raises(BrokerError, match=f"{connection.bootstrap_servers}: .*{told}"):
        await ask(connection, seconds=1)
    assert "the admin client waits for Kafka, next attempt in 0.2 s: " in caplog.text


async def test_one_of_several_brokers_may_be_away(secured: Secured) -> None:
    servers = f"localhost:1,{secured.servers('SASL_TLS')}"
    await ask(KafkaConnection(servers, security=secured.scram()))
    with pytest.raises(BrokerError, match="Kafka refuses SCRAM-SHA-512"):
        await ask(KafkaConnection(servers, security=secured.scram("hunter2")), seconds=3_600)


async def test_the_clients_of_bots_come_the_same_way(secured: Secured) -> None:
    connection = secured.connection("SASL_TLS", secured.scram())
    with pytest.raises(TopicMissing):
        await PredictionStream(connection).__aenter__()
    async with ModelAdmin(connection) as admin:
        with pytest.raises(TopicMissing):
            await admin.list_models()


# Files


def refused(**given: object) -> str:
    with pytest.raises(SettingsError) as caught:
        KafkaConnection("localhost:1", security=Security.model_validate(given)).client_options()
    return str(caught.value)


def test_a_file_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty", tmp_path / "text"
    empty.touch()
    text.write_text("hunter2")
    scram = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-256", "username": "u"}
    absent = tmp_path / "absent"
    assert f"{absent} of kafka.security.password_file cannot be used: No such" in refused(
        **scram, password_file=absent
    )
    assert "password_file cannot be used: it is empty" in refused(**scram, password_file=empty)
    told = refused(protocol="SSL", ca_file=text)
    assert "ca_file cannot be used: it holds no certificate in PEM" in told
    assert "hunter2" not in told
    assert "cert_file cannot be used: No such" in refused(protocol="SSL", cert_file=absent)
    assert "both must be PEM" in refused(protocol="SSL", cert_file=text)


def test_a_key_that_does_not_fit_is_said(tmp_path: Path) -> None:
    authority = Authority()
    one = authority.issue("one").write(tmp_path, "one")
    closed = authority.issue("two", password=b"right").write(tmp_path, "two")
    assert "is not that of the certificate" in refused(
        protocol="SSL", cert_file=closed.certificate, key_file=one.key
    )
    way = {"protocol": "SSL", "cert_file": closed.certificate, "key_file": closed.key}
    assert "is encrypted, and kafka.security.key_password is not set" in refused(**way)
    told = refused(**way, key_password="hunter2")
    assert "is encrypted, and kafka.security.key_password does not open it" in told
    assert "hunter2" not in told
