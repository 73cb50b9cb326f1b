"""What the security settings mean to an aiokafka client: an SSL context, a password, a source of tokens."""

import logging
import ssl
from pathlib import Path
from typing import Any

from stream_lstm.errors import SettingsError
from stream_lstm.kafka import tokens
from stream_lstm.settings.security import SECTION, Security

log = logging.getLogger(__name__)


class _Unsaid(logging.Filter):
    """At `debug` aiokafka writes every request into the log, and one of them holds the password."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record through, without what goes between us and the broker's SASL."""
        if isinstance(record.args, tuple):
            record.args = tuple(_unsaid(part) for part in record.args)
        return True


def _unsaid(part: object) -> object:
    name = type(part).__name__
    return f"{name}(***)" if name.startswith("SaslAuthenticate") else part


logging.getLogger("aiokafka.conn").addFilter(_Unsaid())


def client_options(security: Security) -> dict[str, Any]:
    """Keyword arguments of every aiokafka client. Reads the files. Raises `SettingsError`."""
    options: dict[str, Any] = {"security_protocol": security.protocol}
    if security.tls:
        options["ssl_context"] = _ssl_context(security)
    if security.sasl:
        options["sasl_mechanism"] = security.mechanism
    if security.mechanism == "OAUTHBEARER":
        options["sasl_oauth_token_provider"] = _tokens(security)
    elif security.mechanism is not None:
        password = security.password.get_secret_value() if security.password else None
        options["sasl_plain_username"] = security.username
        options["sasl_plain_password"] = password or secret_of(security.password_file, "password_file")
    _warn_of_hazards(security)
    return options


def secret_of(path: Path | None, name: str) -> str:
    """The secret in a file of the setting `name`, without the line end behind it. Raises `SettingsError`."""
    assert path is not None
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise _unreadable(path, name, error.strerror) from None
    except UnicodeDecodeError:
        raise _unreadable(path, name, "it is no text in UTF-8") from None  # whose error quotes bytes of it
    if not secret:
        raise _unreadable(path, name, "it is empty")
    return secret


def _ssl_context(security: Security) -> ssl.SSLContext:
    ca = security.ca_file
    context = ssl.create_default_context() if ca is None else _trusting(ca)
    context.check_hostname = security.check_hostname
    if (cert := security.cert_file) is not None:
        _present(context, cert, security)
    return context


def _trusting(path: Path) -> ssl.SSLContext:
    """A context for brokers whose certificate was signed by one of a file."""
    text = secret_of(path, "ca_file")
    try:
        return ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError):
        why = "it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"
        raise _unreadable(path, "ca_file", why) from None


def _present(context: ssl.SSLContext, cert: Path, security: Security) -> None:
    """Have our certificate shown to the brokers."""
    secret_of(cert, "cert_file")  # only to say which of the two cannot be read
    key = security.key_file or cert
    where = "key_file" if security.key_file else "cert_file"
    secret_of(key, where)
    # An empty password, because without one OpenSSL would ask for it at the terminal.
    password = security.key_password.get_secret_value() if security.key_password else ""
    try:
        context.load_cert_chain(cert, key, password)
    except ssl.SSLError as error:
        raise SettingsError(_why_no_chain(error, cert, key, where, bool(password))) from None
    except ValueError:  # a password of more than 1,023 bytes
        raise SettingsError(f"{SECTION}key_password cannot be that of a key: it is too long") from None


def _why_no_chain(error: ssl.SSLError, cert: Path, key: Path, where: str, has_password: bool) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return (
            f"the private key in {key} ({SECTION}{where}) is not that of the certificate in {cert} "
            f"({SECTION}cert_file, of which the first counts): give the two that were made together"
        )
    if "ENCRYPTED" in key.read_text(errors="replace"):
        state = "does not open it" if has_password else "is not set"
        return f"the private key in {key} is encrypted, and {SECTION}key_password {state}"
    return (
        f"no certificate with its private key in {cert} and {key} ({SECTION}cert_file, {SECTION}{where}): "
        f"both must be PEM ({error.reason or 'not readable'})"
    )


def _tokens(security: Security) -> tokens.Tokens:
    extensions = dict(pair.split("=", 1) for pair in (security.oauth_extensions or "").split(",") if pair)
    if security.oauth_file is not None:
        secret_of(security.oauth_file, "oauth_file")
        return tokens.of_file(security.oauth_file, extensions)
    if security.oauth_provider is not None:
        return tokens.of_function(security.oauth_provider, extensions)
    assert security.oauth_url is not None
    assert security.oauth_client_id is not None
    given = security.oauth_client_secret
    secret = (
        given.get_secret_value()
        if given
        else secret_of(security.oauth_client_secret_file, "oauth_client_secret_file")
    )
    credentials = tokens.Credentials(security.oauth_client_id, secret, security.oauth_scope)
    return tokens.of_endpoint(security.oauth_url, credentials, extensions)


def _unreadable(path: Path, name: str, why: str | None) -> SettingsError:
    return SettingsError(f"the file {path} of {SECTION}{name} cannot be used: {why}")


def _warn_of_hazards(security: Security) -> None:
    if security.protocol == "SASL_PLAINTEXT" and security.mechanism in ("PLAIN", "OAUTHBEARER"):
        log.warning(
            "%s over SASL_PLAINTEXT: whoever can listen on the wire knows our credentials; use SASL_SSL",
            security.mechanism,
        )
    if security.tls and not security.check_hostname:
        log.warning(
            "check_hostname is off: whoever has any certificate of that CA can pass for a broker; better "
            "have the brokers' certificates made for the names that they advertise"
        )
