"""The sections of the tree, a table each in the TOML file. Times are in seconds."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, model_validator

from stream_lstm.forecasting.config import DemotionConfig, DriftConfig
from stream_lstm.settings.durations import Duration, Timeout, shortest
from stream_lstm.settings.section import Conflict, Section
from stream_lstm.settings.security import Security

_SERVERS: Final = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}")
_STORES: Final = ("file", "memory", "s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "https")
_DRIFT: Final = DriftConfig()
_DEMOTION: Final = DemotionConfig()
_LONGEST_KAFKA_S: Final = 1_800.0  # group.max.session.timeout.ms of a broker, as it comes

Port: TypeAlias = Annotated[int, Field(ge=0, le=65_535)]
GroupTime: TypeAlias = Annotated[Timeout, Field(le=_LONGEST_KAFKA_S)]


def _servers(text: str) -> str:
    for server in text.split(","):
        if not _SERVERS.fullmatch(server.strip()):
            raise ValueError(f"{server!r} is no host:port; several are parted by commas")
    return text


class Kafka(Section):
    """How to reach Kafka and how to be a member of the group."""

    bootstrap_servers: Annotated[str, AfterValidator(_servers)] = "localhost:9092"
    """Brokers to begin with, `host:port`, several with commas."""
    group: str = Field(default="stream-lstm", min_length=1)
    """Consumer group. Workers of one group share the partitions; it also names the application."""
    session_timeout: GroupTime = 10.0
    """Silence after which a member counts as dead. 30 s, unless set, for a member with `worker.instance`."""
    heartbeat_interval: GroupTime = 1.0
    """Time between two heartbeats; less than a third of the session time-out."""
    rebalance_timeout: GroupTime = 20.0
    """How long a rebalance waits for a member, who has half of it to give its partitions up."""
    security: Security = Security()

    @model_validator(mode="after")
    def _three_heartbeats(self) -> Self:
        third = self.session_timeout / 3
        if self.heartbeat_interval >= third:
            raise Conflict(
                f"kafka.heartbeat_interval = {shortest(self.heartbeat_interval)} is not less than a third of "
                f"kafka.session_timeout = {shortest(self.session_timeout)} ({third:.3g} s): two late "
                "heartbeats would end the membership; send them more often, or allow a longer silence",
                "kafka.heartbeat_interval",
                "kafka.session_timeout",
            )
        return self


class Topics(Section):
    """Names of our own topics."""

    prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,200}$")
    """Put before the name of each of our topics, its separator included (`prod.`). Inputs are full names."""


def _folder() -> str:
    return (Path.cwd() / "var" / "store").as_uri()


def _store_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ValueError(f"it is no URL; a folder is {Path(url).absolute().as_uri()}")
    if scheme not in _STORES:
        raise ValueError("known are file:///folder, s3://bucket/prefix, gs://…, az://… and memory://")
    if scheme == "file" and not rest.startswith("/"):
        raise ValueError("file:// needs three slashes and the whole path, file:///folder")
    return url


class Store(Section):
    """Where models and checkpoints live."""

    url: Annotated[str, AfterValidator(_store_url)] = Field(default_factory=_folder)
    """`file:///folder`, `s3://bucket/prefix`, `gs://…`, `az://…`; not set, `var/store` under the working
    directory. All workers of a group need the same store."""
    keep_models: int = Field(default=64, ge=2)
    """Newest models of a series that are kept: a restart replays with those of the time it goes over."""
    checkpoint_interval: Duration = 60.0
    """Between two checkpoints of a partition in which a candle has closed; with 0 none is made, and a restart
    begins with `history.rewind_candles` and no more."""
    keep_checkpoints: int = Field(default=3, ge=1)
    """Newest checkpoints of a partition that are kept."""


class History(Section):
    """How much of the past is kept and read again."""

    candles: int = Field(default=8_760, ge=100, le=1_000_000)
    """Closed candles kept per series, the most that a model learns from."""
    rewind_candles: int = Field(default=500, ge=0)
    """Candles of the longest interval that are read again when there is no checkpoint."""
    rewind_max_records: int = Field(default=100_000, ge=0)
    """Records per partition that are read again at most."""


class Training(Section):
    """How models are made and how long they live."""

    install: Literal["asap", "barrier"] = "asap"
    """`asap` takes a model when it is ready; `barrier` holds its partition until then, so that equal candles
    give equal messages (replays, verification)."""
    expiry: Timeout = 86_400.0
    """Age of a model, in stream time, at which it is replaced. It answers, marked stale, until then."""
    expiry_jitter: float = Field(default=0.05, ge=0, le=1)
    """Fraction by which some models live longer, so that thousands do not expire at once."""
    processes: int = Field(default=1, ge=1, le=256)
    """Training processes. At 0.25 s a model one process keeps 345,600 series a day up to date."""
    timeout: Timeout = 120.0
    """Wall time of one training after which its process is killed."""
    nice: int = Field(default=10, ge=0, le=19)
    """How far the processes stand back behind the worker, as in nice(1)."""
    recycle_after: int = Field(default=500, ge=1)
    """Trainings after which a process is replaced by a fresh one."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of every training, together with the series' name."""

    @model_validator(mode="after")
    def _ends_before_it_expires(self) -> Self:
        if self.timeout >= self.expiry:
            raise Conflict(
                f"training.timeout = {shortest(self.timeout)} is not shorter than training.expiry = "
                f"{shortest(self.expiry)}: a model could expire before its successor is trained; "
                "shorten the time-out or let models live longer",
                "training.timeout",
                "training.expiry",
            )
        return self


class Hyperparameter(Section):
    """How models learn: what `tune` searches. Each model reads some of them, and has values of its own.

    After a change models of the old values go on answering, as expired, until their successors are trained.
    """

    ridge: float | None = Field(default=None, ge=1, le=1e9)
    """Strength of the ridge of `har` and below every network: its penalty λ is this over the candles. Own:
    150,000."""
    hidden: int | None = Field(default=None, ge=4, le=128, multiple_of=4)
    """Hidden units of a network. Own: 32, of `attention` 16, of `bilstm` 8 each way, of `transformer` 16."""
    epochs: int | None = Field(default=None, ge=1, le=100)
    """Passes of a network over its windows; a training takes as many times longer. Own: 4."""
    learning_rate: float | None = Field(default=None, ge=1e-5, le=0.1)
    """Of a network's first update, from where it falls by a cosine. Own: 0.002."""
    l2: float | None = Field(default=None, ge=0, le=1)
    """Penalty on the weights of a network's layers. Own: 0.00006."""
    l2_heads: float | None = Field(default=None, ge=0, le=1)
    """Penalty on the weights of a network's heads. Own: 0.002."""


class Http(Section):
    """Where the gateway listens."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address of the gateway. Any other than this machine's own loopback needs `http.token`."""
    port: Port = 3019
    """Port of the gateway; 0 takes a free one."""
    token: SecretStr | None = Field(default=None, min_length=1)
    """Bearer token that whoever changes state over HTTP must send."""
    timeout: Timeout = 10.0
    """How long the gateway waits for a worker's answer; then it says 503 and why."""
    requests_per_second: float = Field(default=50.0, gt=0)
    """Requests that each client address may make, and twice as many at once; more are answered with 429."""

    @model_validator(mode="after")
    def _nobody_uninvited(self) -> Self:
        if self.token is None and not _is_loopback(self.host):
            raise Conflict(
                f"http.host = {self.host!r} can be reached from other machines, and without http.token "
                "anybody there could delete models; set http.token, or http.host = 127.0.0.1",
                "http.host",
                "http.token",
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Control(Section):
    """How commands are answered."""

    command_ttl: Timeout = 60.0
    """Age above which a command is not done any more."""
    grace: Timeout = 1.0
    """How long the leader waits for the owner of a series before it answers a command itself."""
    default_exchange: str | None = Field(default=None, min_length=1)
    """Exchange of a command that names none."""
    default_interval: str | None = Field(default=None, min_length=1)
    """Interval of a command that names none."""

    @model_validator(mode="after")
    def _leaves_time_to_answer(self) -> Self:
        if self.command_ttl < 5 * self.grace:
            raise Conflict(
                f"control.command_ttl = {shortest(self.command_ttl)} is less than five times control.grace = "
                f"{shortest(self.grace)}: commands would expire before anybody has answered them",
                "control.command_ttl",
                "control.grace",
            )
        return self


class Metrics(Section):
    """Where a worker serves `/metrics`, `/livez` and `/readyz`."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address; 0.0.0.0 lets other machines scrape and probe."""
    port: Port = 9109
    """Port; 0 takes a free one."""
    per_series: bool = False
    """Whether metrics have a label per series: a time series each, thousands with thousands of symbols."""


class Worker(Section):
    """One worker process."""

    instance: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,249}$")
    """Name of a static member, such as a StatefulSet's pod: a restart within the session time-out then moves
    no partition. Each worker needs its own. Not set, shutdown leaves the group."""
    shutdown_timeout: Timeout = 20.0
    """Within this a worker that is told to stop has stopped. Kubernetes kills it after 30 s."""
    stall_timeout: Timeout = 60.0
    """Lag without progress for this long ends the process, so that it is started again."""
    series_per_partition: int = Field(default=10_000, ge=1)
    """Series of one partition at most: a bound for memory. Candles of further ones are dead letters."""


class Log(Section):
    """What is logged, and how."""

    format: Literal["text", "json"] = "text"
    """One line of text, or one JSON object a line."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe that is logged."""


class Closing(Section):
    """When a candle counts as closed."""

    close_grace: Duration = 5.0
    """How far the partition clock must pass the close time of a candle that nothing else closes."""


class Gaps(Section):
    """What is done about missing candles."""

    max_gap: int = Field(default=5, ge=0)
    """Missing candles that are filled flat with `auto` and `restart`; a longer gap is left to the policy."""
    policy: Literal["auto", "restart", "flat", "calendar"] = "auto"
    """`auto` takes a gap at a weekend, or one that recurs, for a closure of the market, which is one step,
    and after any other begins the series anew; `restart` does so after every gap; `flat` fills them all,
    for markets that print no bar without a trade; `calendar` takes them all for closures."""
    stale_after: int = Field(default=3, ge=1)
    """Intervals by the wall clock without a candle after which `series.stale` is said."""


class Prediction(Section):
    """What a prediction says."""

    max_path_points: int = Field(default=24, ge=1)
    """Points of a path at most, the horizon itself always among them."""
    neutral_band: float = Field(default=0.001, ge=0, lt=1)
    """Half-width of the neutral direction, as a fraction of the last close."""
    max_horizon_candles: int = Field(default=2_016, ge=1)
    """Horizons that are longer than this many candles are left out for a series."""


class Drift(Section):
    """When the errors of a model count as others than they were, and what is done about it."""

    detectors: tuple[Literal["page_hinkley", "adwin"], ...] = ("page_hinkley", "adwin")
    """Those that look at each series; none of them, `[]`, turns `drift.detected` off."""
    page_hinkley_threshold: float = Field(default=_DRIFT.page_hinkley_threshold, gt=0)
    """How far Page and Hinkley's sum must move from its extreme; higher is later and surer."""
    page_hinkley_delta: float = Field(default=_DRIFT.page_hinkley_delta, ge=0, lt=1)
    """The change of the mean, of values in 0…1, that it lets pass."""
    adwin_delta: float = Field(default=_DRIFT.adwin_delta, gt=0, lt=1)
    """ADWIN's chance of a false alarm of independent values, at each look; lower is later and surer."""
    cooldown: int = Field(default=_DRIFT.cooldown, ge=0)
    """Candles after a drift in which its series says no other."""
    retrain_on_drift: bool = False
    """Whether a drift makes a training due, at most one per `training.expiry`. Measured, it does not pay."""


class Quality(Section):
    """What is done about a model that is worse than the naive forecast."""

    demote: bool = True
    """Whether the naive forecast answers in its place until a successor has proved itself."""
    half_life: float = Field(default=_DEMOTION.half_life, ge=100)
    """Matured predictions after which one counts half."""
    margin: float = Field(default=_DEMOTION.margin, ge=0)
    """By which fraction its interval score must be worse; and by more than chance."""


class Exchange(Section):
    """How `bootstrap`, `feed` and `live` read an exchange."""

    url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+\S*$")
    """Asked instead of the exchange's own servers, by HTTP and WebSocket: a mirror, or a stand-in for tests.
    Its paths begin with the host that they stand for. Not set, the exchange itself."""
    names: Literal["id", "unified"] = "id"
    """Symbols as the exchange itself writes them (`BTCUSDT`), as in its dumps and streams, or as ccxt does
    (`BTC/USDT`), which tells spot from futures."""
    stream: Literal["auto", "rest"] = "auto"
    """Forming candles from the exchange's WebSocket where it has one, or always by asking."""
    forming_every: Duration = 30.0
    """How often the forming candle of a series is published at most; with 0 only closed ones are."""
    settle: Timeout = 10.0
    """How long after its close a candle is waited for that the exchange leaves out, or shows no later one."""
    timeout: Timeout = 10.0
    """How long one request may take."""


class Dlq(Section):
    """Dead letters."""

    max_bytes: int = Field(default=900_000, ge=65_536, le=1_000_000)
    """Size above which only the first 64 KiB of a dead letter are kept. Brokers take 1 MB as they come."""
