"""Why a client cannot start: aiokafka says "unable to bootstrap" for all that can be wrong with a connection.

So we go the same way once more, to each broker that is known, and look at what is met there.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest
from aiokafka.protocol.metadata import MetadataRequest

from stream_lstm.kafka.tokens import TokenRefused, TokenUnavailable

_WAYS: Final = (
    *("client_id", "request_timeout_ms", "ssl_context", "security_protocol", "sasl_mechanism"),
    *("sasl_plain_username", "sasl_plain_password", "sasl_oauth_token_provider"),
)
_CLOSE_SECONDS: Final = 1.0
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
"""Verify codes of X.509, as OpenSSL numbers them."""


class Diagnosis(NamedTuple):
    """What keeps a client from Kafka. If it is `final`, only somebody who changes something ends it."""

    told: str
    final: bool


async def of_start(client: Any, error: KafkaError, seconds: float) -> Diagnosis:
    """What an error at a client's start was about, looked for in `seconds`."""
    wire = getattr(client, "_client", None) or getattr(client, "client", None)
    unreached = isinstance(error, KafkaConnectionError | NodeNotReadyError)
    if not unreached or not isinstance(wire, AIOKafkaClient):
        return Diagnosis(str(error), False)
    met = []
    for host, port in _brokers(wire):
        try:
            async with asyncio.timeout(seconds):
                found = await _met(wire, host, port)
        except TimeoutError:
            found = Diagnosis(_no_answer(wire), False)
        if found is not None:
            met.append(Diagnosis(f"{host}:{port}: {found.told}", found.final))
    final = [found for found in met if found.final]
    told = "; ".join(found.told for found in final or met)
    return Diagnosis(told or str(error), bool(final))


def _brokers(wire: AIOKafkaClient) -> list[tuple[str, int]]:
    """The bootstrap servers, and the brokers that those have named: a client is sent on to them."""
    first = [(host, port) for host, port, _ in wire.hosts]
    return [*dict.fromkeys([*first, *((node.host, node.port) for node in wire.cluster.brokers())])]


async def _met(wire: AIOKafkaClient, host: str, port: int) -> Diagnosis | None:
    """What a connection to one broker meets; None if it answers."""
    connection = AIOKafkaConnection(host, port, **_way(wire))
    try:
        await connection.connect()
        await connection.send(MetadataRequest([]))
    except UnsupportedSaslMechanismError:
        return Diagnosis(await _other_mechanism(wire, host, port), True)
    except (OSError, KafkaError) as error:  # TimeoutError is an OSError
        return _understood(error, wire, host)
    finally:
        await _disconnect(connection)
    return None


async def _disconnect(connection: AIOKafkaConnection) -> None:
    """Close without the good-byes of TLS, which a broker that has hung up does not answer."""
    closed, protocol = connection.close(), connection._protocol
    if protocol is not None:
        if protocol._transport is not None:
            protocol._transport.abort()
        await asyncio.wait({closed}, timeout=_CLOSE_SECONDS)


def _way(wire: AIOKafkaClient) -> dict[str, Any]:
    return {name: getattr(wire, f"_{name}") for name in _WAYS}


def _understood(error: BaseException, wire: AIOKafkaClient, host: str) -> Diagnosis:
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return Diagnosis(_certificate(one, host), True)
        if isinstance(one, ssl.SSLError):
            return _tls(one)
        if isinstance(one, SaslAuthenticationFailed):
            return Diagnosis(_authentication(wire, one), True)
        if isinstance(one, IllegalSaslStateError):
            return Diagnosis(
                f"this listener asks nobody who they are, and kafka.security.protocol = "
                f"{wire._security_protocol}: use the port of a SASL listener, or another protocol",
                True,
            )
        if isinstance(one, TokenRefused | TokenUnavailable):
            return Diagnosis(f"no token for OAUTHBEARER: {one.args[0]}", not one.retriable)
        if isinstance(one, socket.gaierror):
            return Diagnosis(f"no such host ({one.strerror})", False)
        if isinstance(one, ConnectionRefusedError):
            return Diagnosis("nobody listens there (connection refused)", False)
    if isinstance(error, TimeoutError):
        return Diagnosis(_no_answer(wire), False)
    if isinstance(error, ConnectionError | KafkaConnectionError):
        return Diagnosis(_closed(wire), False)
    return Diagnosis(str(error), False)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in (_OTHER_NAME, _OTHER_ADDRESS):
        return (
            f"the broker's certificate is not for {host!r}: connect to a name that is in it, or have it made "
            "for this one; kafka.security.check_hostname = false would trust any name"
        )
    if error.verify_code == _EXPIRED:
        return "the broker's certificate, or one above it, has expired: it must be renewed there"
    if error.verify_code == _NOT_YET:
        return "the broker's certificate is not valid yet: is the clock of this machine right?"
    return (
        f"the broker's certificate is not trusted ({error.verify_message}): kafka.security.ca_file must hold "
        "the certificate of the CA that has signed it"
    )


def _tls(error: ssl.SSLError) -> Diagnosis:
    reason = error.reason or str(error)
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return Diagnosis(
            f"the broker wants a certificate of ours (mTLS; {reason}): set kafka.security.cert_file and "
            "key_file, of a CA that it trusts",
            True,
        )
    if "ALERT" in reason:
        return Diagnosis(
            f"the broker does not accept our certificate ({reason}): kafka.security.cert_file must be signed "
            "by a CA that it trusts, and not be expired",
            True,
        )
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING"):
        return Diagnosis(
            f"no TLS is spoken there ({reason}): use the port of a TLS listener, or a "
            "kafka.security.protocol without SSL",
            reason == "WRONG_VERSION_NUMBER",
        )
    return Diagnosis(f"TLS fails: {reason}", False)


def _authentication(wire: AIOKafkaClient, error: KafkaError) -> str:
    if wire._sasl_mechanism == "OAUTHBEARER":
        return f"Kafka refuses our token ({error}): it is not one for this broker"
    return (
        f"Kafka refuses {wire._sasl_mechanism} as {wire._sasl_plain_username!r} ({error}): check "
        "kafka.security.username and password, and that this user exists for this mechanism"
    )


async def _other_mechanism(wire: AIOKafkaClient, host: str, port: int) -> str:
    offered = await _offered(wire, host, port)
    told = f": it offers {', '.join(offered)}" if offered else ""
    return (
        f"this listener does not offer {wire._sasl_mechanism}{told}; set kafka.security.mechanism, or use "
        "another port"
    )


async def _offered(wire: AIOKafkaClient, host: str, port: int) -> list[str]:
    """The mechanisms that a broker names to those who have not said yet who they are."""
    protocol = wire._security_protocol.removeprefix("SASL_")
    way = _way(wire) | {"security_protocol": "SSL" if protocol == "SSL" else "PLAINTEXT"}
    connection = AIOKafkaConnection(host, port, **way)
    try:
        await connection.connect()
        answer = await connection.send(SaslHandShakeRequest(wire._sasl_mechanism))
    except (OSError, KafkaError):
        return []
    finally:
        await _disconnect(connection)
    return sorted(answer.enabled_mechanisms)


def _closed(wire: AIOKafkaClient) -> str:
    protocol = wire._security_protocol
    guess = {
        "PLAINTEXT": "perhaps the listener wants TLS or SASL",
        "SSL": "perhaps the listener speaks no TLS, or wants SASL",
        "SASL_PLAINTEXT": "perhaps the listener wants TLS",
        "SASL_SSL": "perhaps the listener speaks no TLS",
    }[protocol]
    return f"the connection is closed at once (kafka.security.protocol = {protocol}): {guess}"


def _no_answer(wire: AIOKafkaClient) -> str:
    tls = "" if wire._security_protocol.endswith("SSL") else "; perhaps the listener wants TLS"
    return f"no answer in time (kafka.security.protocol = {wire._security_protocol}){tls}"
