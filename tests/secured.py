"""A broker that asks who you are, on a listener for each way to say so, and what everybody may do there."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.kafka.embedded import EmbeddedKafka, HeldPort
from stream_lstm.settings.security import Security
from tests.certificates import Authority, Files
from tests.conftest import embedded_kafka

USER, BOT, PASSWORD = "worker", "bot", "pa55-of-the-worker"
_LISTENERS = {
    "SASL_TLS": "SASL_SSL",
    "SASL_CLEAR": "SASL_PLAINTEXT",
    "TLS": "SSL",
    "MTLS": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
}
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
_OAUTH = (
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
    'unsecuredLoginStringClaim_sub="broker";'
)


@dataclass(frozen=True)
class Secured:
    """The broker: its plain listener knows nobody, who may do everything."""

    kafka: EmbeddedKafka
    ports: dict[str, int]
    authority: Authority
    folder: Path
    client: Files

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def servers(self, listener: str, host: str = "localhost") -> str:
        return f"{host}:{self.ports[listener]}"

    def scram(self, password: str = PASSWORD, user: str = USER, **more: Any) -> Security:
        """As a user of the tests, over SASL_SSL."""
        given = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", "ca_file": self.ca_file} | more
        return Security(username=user, password=SecretStr(password), **given)

    def connection(self, listener: str, security: Security, host: str = "localhost") -> KafkaConnection:
        return KafkaConnection(self.servers(listener, host), "test", security)


@contextmanager
def secured_kafka(folder: Path) -> Iterator[Secured]:
    """A running broker with all listeners, that allows nobody anything but through its plain one."""
    authority = Authority()
    ca = authority.write(folder / "ca.pem")
    broker = authority.issue("localhost").write(folder, "broker").both
    expired = authority.issue("localhost", days=-1).write(folder, "expired").both
    client = authority.issue("worker.example").write(folder, "client")
    held = {name: HeldPort() for name in _LISTENERS}
    ports = {name: port.number for name, port in held.items()}
    properties = _properties(ports, ca, broker, expired)
    kinds = ("SCRAM-SHA-256", "SCRAM-SHA-512")
    users = [f"{kind}=[name={name},password={PASSWORD}]" for kind in kinds for name in (USER, BOT)]
    options = [part for user in users for part in ("--add-scram", user)]
    try:
        with embedded_kafka(properties, options) as kafka:
            yield Secured(kafka, ports, authority, folder, client)
    finally:
        for port in held.values():
            port.release()


def _properties(ports: dict[str, int], ca: Path, broker: Path, expired: Path) -> dict[str, str]:
    listeners = "".join(f",{name}://127.0.0.1:{port}" for name, port in ports.items())
    # One sends its clients on to a name that is not in its certificate.
    hosts = {name: "127.0.0.1" if name == "ELSEWHERE" else "localhost" for name in ports}
    advertised = "".join(f",{name}://{hosts[name]}:{port}" for name, port in ports.items())
    protocols = "".join(f",{name}:{protocol}" for name, protocol in _LISTENERS.items())
    sasl = "sasl.jaas.config"
    return {
        "listeners": "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}" + listeners,
        "advertised.listeners": "PLAINTEXT://127.0.0.1:{port}" + advertised,
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT" + protocols,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(broker),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.expired.ssl.keystore.location": str(expired),
        "listener.name.sasl_tls.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.sasl_clear.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        f"listener.name.sasl_tls.plain.{sasl}": _PLAIN,
        f"listener.name.sasl_tls.scram-sha-256.{sasl}": _SCRAM,
        f"listener.name.sasl_tls.scram-sha-512.{sasl}": _SCRAM,
        f"listener.name.sasl_tls.oauthbearer.{sasl}": _OAUTH,
        f"listener.name.sasl_clear.scram-sha-512.{sasl}": _SCRAM,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


def unsigned_token(subject: str = USER, seconds: float = 600) -> str:
    """A token of the kind that a broker accepts that was told of no key."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + seconds})
    return (
        ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts) + "."
    )
