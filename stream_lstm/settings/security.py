"""Who we are to Kafka, and how we know that it is Kafka: TLS and SASL."""

from pathlib import Path
from typing import Annotated, Final, Literal, NoReturn, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, model_validator

from stream_lstm.settings.section import Conflict, Section

Protocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

SECTION: Final = "kafka.security."
"""What the names of these settings begin with."""
_OF_PASSWORDS: Final = ("username", "password", "password_file")
_OF_OAUTH: Final = (
    *("oauth_url", "oauth_client_id", "oauth_client_secret", "oauth_client_secret_file", "oauth_scope"),
    *("oauth_file", "oauth_provider", "oauth_extensions"),
)
_OF_CLIENTS: Final = ("oauth_client_id", "oauth_client_secret", "oauth_client_secret_file", "oauth_scope")
_OF_CERT: Final = ("key_file", "key_password")
_OF_TLS: Final = ("ca_file", "cert_file", "key_file", "key_password")
_PAIR: Final = r"[A-Za-z]+=[^,\x01]+"
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}

Text: TypeAlias = Annotated[str, Field(min_length=1)]
Secret: TypeAlias = Annotated[SecretStr, Field(min_length=1)]


def _token_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("the client's id and secret are settings of their own, not parts of the URL")
    near = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if near or (parts.scheme == "https" and parts.hostname):
        return url
    raise ValueError("the client's secret is sent there: it must be https://host/…, or http:// to localhost")


class Security(Section):
    """As whom we come to Kafka and how the wire is protected; nothing set: nobody, in plain text.

    Its text and its errors show no secret. Raises pydantic's `ValidationError`, a `ValueError`, for what
    cannot be meant.

    >>> Security(protocol="SASL_SSL", mechanism="PLAIN", username="bot", password=SecretStr("x")).password
    SecretStr('**********')
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    protocol: Protocol = "PLAINTEXT"
    """As the listener of the brokers: `SSL` is TLS, `SASL_` asks who we are."""
    mechanism: Mechanism | None = None
    """With a `SASL_` protocol: how we say who we are."""
    username: Text | None = None
    """Of `PLAIN` and `SCRAM`; an API key where a cloud calls it so."""
    password: Secret | None = None
    """Of `PLAIN` and `SCRAM`. Give it by a variable or a file, the command line is readable to all."""
    password_file: Path | None = None
    """Or the file that the password is in, read at the start; a line end after it does not count."""
    ca_file: Path | None = None
    """Certificates, PEM, of who may have signed the brokers'; not set: those that this machine trusts."""
    cert_file: Path | None = None
    """Our own certificate (mTLS), PEM, with the chain behind it."""
    key_file: Path | None = None
    """Its private key, PEM; not set: it is in `cert_file`."""
    key_password: Secret | None = None
    """Of an encrypted private key."""
    check_hostname: bool = True
    """Whether a broker's certificate must be for the name that we connect to. Without, anybody with any
    certificate of that CA can be the broker."""
    oauth_url: Annotated[Text, AfterValidator(_token_url)] | None = None
    """`OAUTHBEARER`: the token endpoint, `https://…`, asked with the client's credentials."""
    oauth_client_id: Text | None = None
    """As whom the token endpoint is asked."""
    oauth_client_secret: Secret | None = None
    """The secret of that client."""
    oauth_client_secret_file: Path | None = None
    """Or the file that it is in, read at the start."""
    oauth_scope: Text | None = None
    """What the token is to be good for, where the endpoint wants to know."""
    oauth_file: Path | None = None
    """`OAUTHBEARER`, or the file that the token is in, read at each connection (Kubernetes renews it)."""
    oauth_provider: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w.]*[.:][A-Za-z_]\w*$")
    """`OAUTHBEARER`, or a function of yours, `package.module:function`, that returns a token, or a coroutine
    of one; called at each connection."""
    oauth_extensions: str | None = Field(default=None, pattern=rf"^{_PAIR}(,{_PAIR})*$")
    """Sent with the token, `name=value,name=value`, such as Confluent Cloud's `logicalCluster`."""

    @property
    def sasl(self) -> bool:
        """Whether the brokers ask who we are."""
        return self.protocol.startswith("SASL_")

    @property
    def tls(self) -> bool:
        """Whether the wire is encrypted."""
        return self.protocol.endswith("SSL")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self._mechanism_fits()
        if not self.tls:
            self._unused(_OF_TLS, "without TLS", "set kafka.security.protocol = SSL or SASL_SSL")
        if self.cert_file is None:
            self._unused(_OF_CERT, "without a certificate", "set kafka.security.cert_file")
        if self.mechanism == "OAUTHBEARER":
            self._tokens_suffice()
        else:
            way = "set kafka.security.mechanism = OAUTHBEARER, with a SASL_ protocol"
            self._unused(_OF_OAUTH, f"with mechanism {self.mechanism or '(none)'}", way)
        if self.mechanism is not None and self.mechanism != "OAUTHBEARER":
            if self.username is None:
                self._refuse(f"{self.mechanism} needs {SECTION}username, which is not set", "mechanism")
            self._one_of(self.mechanism, "password", "password_file")
        else:
            way = "set kafka.security.mechanism to PLAIN or SCRAM-SHA-…, with a SASL_ protocol"
            self._unused(_OF_PASSWORDS, f"with mechanism {self.mechanism or '(none)'}", way)
        return self

    def _mechanism_fits(self) -> None:
        if self.sasl and self.mechanism is None:
            self._refuse(
                f"{SECTION}protocol = {self.protocol} needs {SECTION}mechanism: PLAIN, SCRAM-SHA-256, "
                "SCRAM-SHA-512 or OAUTHBEARER, as the brokers offer",
                "protocol",
            )
        if self.mechanism is not None and not self.sasl:
            wanted = "SASL_SSL" if self.tls else "SASL_SSL or SASL_PLAINTEXT"
            self._refuse(
                f"{SECTION}mechanism = {self.mechanism} is not used with {SECTION}protocol = "
                f"{self.protocol}: set the protocol to {wanted}",
                *("mechanism", "protocol"),
            )

    def _tokens_suffice(self) -> None:
        self._one_of("OAUTHBEARER", "oauth_url", "oauth_file", "oauth_provider")
        if self.oauth_url is None:
            self._unused(_OF_CLIENTS, "without a token endpoint", f"set {SECTION}oauth_url")
            return
        if self.oauth_client_id is None:
            self._refuse(f"{SECTION}oauth_url needs {SECTION}oauth_client_id, which is not set", "oauth_url")
        self._one_of(f"{SECTION}oauth_url", "oauth_client_secret", "oauth_client_secret_file")

    def _one_of(self, what: str, *names: str) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        choice = " or ".join(SECTION + name for name in names)
        if not given:
            self._refuse(f"{what} needs {choice}, and none is set", "mechanism")
        if len(given) > 1:
            self._refuse(f"{what} needs {choice}, one of them: leave the others out", *given)

    def _unused(self, names: tuple[str, ...], why: str, way_out: str) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        if given:
            told = ", ".join(SECTION + name for name in given)
            self._refuse(f"{told} would not be used {why}: {way_out}, or leave it out", *given)

    def _refuse(self, message: str, *names: str) -> NoReturn:
        raise Conflict(message, *(SECTION + name for name in names))
