"""A certificate authority for tests, with certificates that are good and certificates that are not."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC)


class Pair(NamedTuple):
    """A certificate and its key, PEM; Kafka reads only keys in PKCS#8."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> "Files":
        """As three files: the certificate, the key, and both in one."""
        files = Files(folder / f"{name}.crt", folder / f"{name}.key", folder / f"{name}.pem")
        files.certificate.write_bytes(self.certificate)
        files.key.write_bytes(self.key)
        files.both.write_bytes(self.key + self.certificate)
        return files


class Files(NamedTuple):
    certificate: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates; `certificate` is its own, PEM."""

    def __init__(self, name: str = "an authority for tests") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        built = (
            _about(self._name, self._name, self._key, NOW + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = built.public_bytes(Encoding.PEM)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.certificate)
        return path

    def issue(self, *names: str, days: float = 1, password: bytes | None = None) -> Pair:
        """A certificate for names or addresses; with negative days it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        built = (
            _about(_named(names[0]), self._name, key, NOW + timedelta(days=days))
            .add_extension(
                x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
            )
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        closed = BestAvailableEncryption(password) if password else NoEncryption()
        return Pair(
            built.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closed)
        )


def _about(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=10))
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
