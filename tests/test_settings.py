import json
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from stream_lstm.candles.formats import Pin
from stream_lstm.errors import SettingsError
from stream_lstm.forecasting.config import DemotionConfig, DriftConfig, EngineConfig
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.models.registry import MODEL_TYPES
from stream_lstm.settings import Settings, describe, load
from stream_lstm.settings.description import FIELDS, is_secret
from stream_lstm.settings.durations import seconds, shortest
from stream_lstm.settings.security import Security

Write = Callable[[str], Path]


@pytest.fixture
def toml(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def of_overrides(*overrides: str) -> Settings:
    return load(None, overrides, {})


def shown(settings: Settings) -> dict[str, str]:
    return {each.name: each.value for each in describe(settings)}


FIXED_NAMES = {
    *("kafka.bootstrap_servers", "kafka.group", "kafka.session_timeout", "kafka.heartbeat_interval"),
    *("topics.prefix", "inputs", "store.url", "delivery", "start_at", "horizons", "confidence", "model"),
    *(
        "history.candles",
        "training.install",
        "training.expiry",
        "training.processes",
        "http.host",
        "http.port",
    ),
    *("http.host", "http.port", "worker.instance", "log.format"),
}


def test_the_names_that_other_tools_rely_on_exist() -> None:
    assert FIXED_NAMES - FIELDS.keys() == set()


def test_every_setting_says_what_it_means() -> None:
    assert [each.name for each in describe(load(None, [], {})) if len(each.description) < 20] == []


# Where values come from


def test_each_source_wins_over_the_one_before(toml: Write) -> None:
    config = toml(
        """
        warm_up = 30
        history.candles = 1000
        [kafka]
        group = "file"
        bootstrap_servers = "file:1"
        rebalance_timeout = "15s"
        """
    )
    environ = {"STREAM_LSTM_KAFKA__GROUP": "env", "STREAM_LSTM_KAFKA__BOOTSTRAP_SERVERS": "env:1"}
    settings = load(config, ["kafka.group=cli"], environ)
    kafka = settings.kafka
    assert (kafka.group, kafka.bootstrap_servers, kafka.rebalance_timeout) == ("cli", "env:1", 15.0)
    assert (settings.warm_up, settings.history.candles, settings.kafka.session_timeout) == (30, 1000, 10.0)
    sources = {each.name: each.source for each in describe(settings) if each.name.startswith("kafka.")}
    assert {sources.pop(name) for name in list(sources) if name.startswith("kafka.security.")} == {"default"}
    assert sources == {
        "kafka.bootstrap_servers": "STREAM_LSTM_KAFKA__BOOTSTRAP_SERVERS",
        "kafka.group": "--set",
        "kafka.session_timeout": "default",
        "kafka.heartbeat_interval": "default",
        "kafka.rebalance_timeout": str(config),
    }


PLAIN = {
    "topics.prefix": st.from_regex(r"[a-z.]{0,9}", fullmatch=True),
    "history.candles": st.integers(500, 10_000),
    "confidence": st.floats(0.5, 0.99),
    "metrics.per_series": st.booleans(),
    "training.expiry": st.floats(121, 1e6).map(shortest),
    "horizons": st.permutations(["1h", "4h", "1d"]),
}
SOME = st.fixed_dictionaries({}, optional=PLAIN)


def as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@given(SOME, SOME, SOME)
def test_a_setting_has_the_value_of_the_strongest_source_that_names_it(
    tmp_path_factory: pytest.TempPathFactory,
    file: dict[str, object],
    variables: dict[str, object],
    overrides: dict[str, object],
) -> None:
    config = tmp_path_factory.mktemp("settings") / "s.toml"
    config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in file.items()))
    environ = {
        f"STREAM_LSTM_{name.upper().replace('.', '__')}": as_text(value) for name, value in variables.items()
    }
    settings = load(config, [f"{name}={as_text(value)}" for name, value in overrides.items()], environ)
    expected = shown(load(None, [], {})) | {
        name: as_text(value) for name, value in (file | variables | overrides).items()
    }
    assert shown(settings) == expected


def test_what_is_shown_can_be_set_again() -> None:
    settings = of_overrides(
        "worker.instance=w-0",
        'inputs=[{"pattern":"candles-.*","format":"cryptofeed","interval":"60m"},{"topic":"x"}]',
        "kafka.heartbeat_interval=250ms",
        "topics.prefix=staging.",
    )
    again = of_overrides(*(f"{name}={value}" for name, value in shown(settings).items()))
    assert shown(again) == shown(settings)
    assert again.inputs[0].pin == Pin("cryptofeed", None, "1h")


def test_a_value_may_hold_an_equals_sign() -> None:
    assert of_overrides("store.url=s3://bucket/a=b").store.url == "s3://bucket/a=b"


def test_an_empty_text_unsets_what_may_be_unset() -> None:
    settings = load(None, ["worker.instance="], {"STREAM_LSTM_WORKER__INSTANCE": "w-0"})
    assert settings.worker.instance is None


def test_a_static_member_may_be_silent_for_longer_unless_told_otherwise() -> None:
    assert of_overrides("worker.instance=w-0").kafka.session_timeout == 30.0
    assert of_overrides("worker.instance=w-0", "kafka.session_timeout=12s").kafka.session_timeout == 12.0
    assert of_overrides("worker.instance=").kafka.session_timeout == 10.0


def test_a_section_may_be_empty(toml: Write) -> None:
    assert shown(load(toml("[kafka]\n[http]\n"), [], {})) == shown(load(None, [], {}))


def test_models_are_stored_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, [], {}).store.url == f"file://{tmp_path}/var/store"


# Unknown names


def test_an_unknown_name_is_refused_with_the_nearest(toml: Write) -> None:
    with pytest.raises(SettingsError, match=r"kafka\.grup in .*settings\.toml; did you mean kafka\.group\?"):
        load(toml("[kafka]\ngrup = 'x'"), [], {})
    with pytest.raises(SettingsError, match=r"STREAM_LSTM_HTTP_PORT in the .* mean STREAM_LSTM_HTTP__PORT\?"):
        load(None, [], {"STREAM_LSTM_HTTP_PORT": "80"})
    with pytest.raises(SettingsError, match=r"trainig\.expiry in --set; did you mean training\.expiry\?"):
        of_overrides("trainig.expiry=1h")
    with pytest.raises(SettingsError, match=r"inputs\[0\]\.topc .*; did you mean topic\?"):
        of_overrides('inputs=[{"topc":"x"}]')


def test_all_unknown_names_of_a_source_are_told_together() -> None:
    with pytest.raises(SettingsError, match=r"(?s)log\.fromat.*\n.*log\.levle"):
        of_overrides("log.fromat=json", "log.levle=info")


def test_a_section_is_no_setting(toml: Write) -> None:
    with pytest.raises(SettingsError, match=r"log in .*: it is a section, of log\.format, log\.level"):
        load(toml("log = 'json'"), [], {})
    with pytest.raises(SettingsError, match="it is a section, of STREAM_LSTM_LOG__FORMAT"):
        load(None, [], {"STREAM_LSTM_LOG": "json"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STREAM_LSTM_SERVICE_HOST", "10.0.0.1"),
        ("STREAM_LSTM_SERVICE_PORT_METRICS", "9109"),
        ("STREAM_LSTM_PORT", "tcp://10.0.0.1:3019"),
        ("STREAM_LSTM_GATEWAY_PORT_3019_TCP_ADDR", "10.0.0.1"),
        ("STREAM_LSTM_TEST_KAFKA", "localhost:9092"),
        ("PATH", "/bin"),
    ],
)
def test_variables_that_are_not_ours_are_left_alone(name: str, text: str) -> None:
    assert shown(load(None, [], {name: text})) == shown(load(None, [], {}))


# Wrong values


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("http.port=x", r"http\.port = 'x' \(from --set\): .*valid integer"),
        ("history.candles=1", r"history\.candles = '1' \(from --set\): .*greater than or equal to 100"),
        ("log.format=xml", r"log\.format = 'xml' \(from --set\): .*'text' or 'json'"),
        ("kafka.session_timeout=10x", r"kafka\.session_timeout = '10x' .*24h or 500ms"),
        ("kafka.session_timeout=0", r"kafka\.session_timeout = '0' .*greater than 0"),
        ("kafka.bootstrap_servers=localhost", r"bootstrap_servers = 'localhost' .*no host:port"),
        ("horizons=1h,4h", r'horizons = \'1h,4h\' \(from --set\): write JSON, \["1h"'),
        ("horizons=[]", "horizons = .*name at least one"),
        ('horizons=["soon"]', "'soon' .*4h or 7d"),
        ('horizons=["1h","60m"]', "1h and 60m are the same horizon"),
        ("features=[]", "features = .*name at least one"),
        ('features=["rsi"]', "'rsi' is no group of features; choose from ranges, profile"),
        ("model=pooled", "pooled is for `stream-lstm backtest`: .*depend on which series share a worker"),
        ("model=lstm-warm", "lstm-warm is for `stream-lstm backtest`: .*worse than `lstm`"),
        ("inputs=candles", r'write JSON, \[\{"topic": "candles"\}\]'),
        ('inputs=[{"topic":"a","pattern":"b"}]', r"inputs\[0\] .*either a topic or a pattern"),
        ('inputs=[{"exchange":"okx"}]', r"inputs\[0\] .*either a topic or a pattern"),
        ('inputs=[{"topic":"a","format":"binanse"}]', r"inputs\[0\]\.format .*did you mean binance\?"),
        ('inputs=[{"topic":"a","interval":"1M"}]', r"inputs\[0\]\.interval .*no fixed length"),
        ('inputs=[{"pattern":"("}]', r"inputs\[0\]\.pattern .*no regular expression"),
        ("store.url=/var/models", r"store\.url .*a folder is file:///var/models"),
        ("store.url=file://var/models", "three slashes"),
        ("store.url=ftp://models", r"store\.url .*known are file:///folder"),
        ("dlq.max_bytes=2000000", r"dlq\.max_bytes .*less than or equal to 1000000"),
        ("log.format", r"--set log\.format: write --set KEY=VALUE"),
    ],
)
def test_a_wrong_value_is_named_with_its_source_and_the_way_out(override: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        of_overrides(override)


def test_all_wrong_values_are_told_together() -> None:
    with pytest.raises(SettingsError, match=r"(?s)http\.port.*\n.*log\.format"):
        of_overrides("http.port=x", "log.format=xml")


def test_a_file_that_cannot_be_used_is_named(toml: Write, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml cannot be read"):
        load(tmp_path / "absent.toml", [], {})
    with pytest.raises(SettingsError, match=r"settings\.toml is no TOML: .*line 2"):
        load(toml("warm_up = 30\nhorizons = \n"), [], {})


def test_a_secret_is_shown_by_nothing(toml: Write) -> None:
    settings = of_overrides("http.token=hunter2")
    assert settings.http.token
    assert settings.http.token.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{describe(settings)} {settings!r} {settings}"
    with pytest.raises(SettingsError, match=r"http\.token = \(hidden\)") as refused:
        load(toml("[http]\ntoken = [4711]"), [], {})
    assert "4711" not in str(refused.value)


SECRETS = {name for name in FIELDS if is_secret(name)}


def test_the_secrets_are_known() -> None:
    assert {
        *("http.token", "kafka.security.password", "kafka.security.key_password"),
        "kafka.security.oauth_client_secret",
    } <= SECRETS


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("value", ['"hunter2"', "[4711]", "{hunter2 = 4711}", "4711", '""'])
def test_no_source_and_no_error_shows_a_secret(toml: Write, name: str, value: str) -> None:
    try:
        told = f"{(settings := load(toml(f'{name} = {value}'), [], {}))!r} {describe(settings)}"
    except SettingsError as error:
        told = str(error)
        assert name in told
    assert value.startswith("{") or "hunter2" not in told  # there it is the name of a setting
    assert "4711" not in told.replace(str(toml("")), "")


def test_a_password_in_a_url_is_not_shown() -> None:
    for override in (
        "kafka.security.oauth_url=https://me:hunter2@host/token",
        "store.url=ftp://me:hunter2@h/",
    ):
        with pytest.raises(SettingsError, match=r"//\*\*\*@h") as refused:
            of_overrides(override)
        assert "hunter2" not in str(refused.value)


def test_security_can_be_set_in_each_source(toml: Write) -> None:
    config = toml(
        """
        [kafka.security]
        protocol = "SASL_SSL"
        mechanism = "SCRAM-SHA-512"
        username = "bot"
        """
    )
    security = load(config, [], {"STREAM_LSTM_KAFKA__SECURITY__PASSWORD": "hunter2"}).kafka.security
    assert (security.protocol, security.username) == ("SASL_SSL", "bot")
    assert security.password is not None
    assert security.password.get_secret_value() == "hunter2"
    assert load(toml("[kafka.security]"), [], {}).kafka.security == Security()


# What cannot hold together


SCRAM = ["kafka.security.protocol=SASL_SSL", "kafka.security.mechanism=SCRAM-SHA-512"]
OAUTH = ["kafka.security.protocol=SASL_SSL", "kafka.security.mechanism=OAUTHBEARER"]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["protocol=SASL_SSL"], "SASL_SSL needs kafka.security.mechanism: PLAIN, SCRAM-SHA-256"),
        (
            ["mechanism=PLAIN"],
            "not used with kafka.security.protocol = PLAINTEXT: set the protocol to SASL_SSL",
        ),
        ([*SCRAM], "SCRAM-SHA-512 needs kafka.security.username, which is not set"),
        ([*SCRAM, "username=u"], "needs kafka.security.password or kafka.security.password_file, and none"),
        ([*SCRAM, "username=u", "password=p", "password_file=f"], "one of them: leave the others out"),
        (["username=u"], "kafka.security.username would not be used with mechanism .none."),
        (["ca_file=f"], "kafka.security.ca_file would not be used without TLS: set kafka.security.protocol"),
        (["protocol=SSL", "key_file=f"], "key_file would not be used without a certificate"),
        (
            [*SCRAM, "username=u", "password=p", "oauth_file=f"],
            "oauth_file would not be used with mechanism SCRAM",
        ),
        (
            [*OAUTH],
            "OAUTHBEARER needs kafka.security.oauth_url or .*oauth_file or .*oauth_provider, and none",
        ),
        ([*OAUTH, "oauth_file=f", "oauth_provider=a:b"], "one of them: leave the others out"),
        ([*OAUTH, "oauth_url=https://h/"], "oauth_url needs kafka.security.oauth_client_id"),
        (
            [*OAUTH, "oauth_url=https://h/", "oauth_client_id=c"],
            "needs kafka.security.oauth_client_secret or",
        ),
        ([*OAUTH, "oauth_file=f", "oauth_scope=s"], "oauth_scope would not be used without a token endpoint"),
        ([*OAUTH, "oauth_url=http://h/"], "must be https://host/"),
        ([*OAUTH, "oauth_file=f", "username=u"], "username would not be used with mechanism OAUTHBEARER"),
        ([*OAUTH, "oauth_file=f", "oauth_extensions=a"], "oauth_extensions = 'a' .*match pattern"),
    ],
)
def test_security_that_cannot_be_meant_is_refused_with_the_way_out(overrides: list[str], told: str) -> None:
    whole = [text if text.startswith("kafka.") else f"kafka.security.{text}" for text in overrides]
    with pytest.raises(SettingsError, match=told):
        of_overrides(*whole)


def test_security_made_by_hand_shows_no_secret_when_it_is_refused() -> None:
    with pytest.raises(ValueError, match="set the protocol to SASL_SSL") as refused:
        Security(mechanism="PLAIN", username="u", password=SecretStr("hunter2"))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["kafka.heartbeat_interval=4s"],
            r"4s is not less than a third of kafka\.session_timeout = 10s \(3\.33 s\)",
        ),
        (["kafka.session_timeout=3s"], r"\(kafka\.session_timeout from --set\)"),
        (["http.host=0.0.0.0"], r"set http\.token, or http\.host = 127\.0\.0\.1"),
        (["http.host=gateway.example.org"], r"set http\.token"),
        (["training.expiry=1m"], r"training\.timeout = 2m is not shorter than training\.expiry = 1m"),
        (["training.expiry=30s", "training.timeout=9s"], "30s is shorter than a candle of 1m"),
        (['inputs=[{"topic":"a","interval":"3d"}]'], "24h is shorter than a candle of 72h"),
        (
            ['inputs=[{"topic":"a","interval":"1d"}]', 'horizons=["4h"]'],
            r"a has candles of 1d, and none of the horizons 4h is a multiple",
        ),
        (['horizons=["7d"]', 'inputs=[{"topic":"a","interval":"1m"}]'], "at most 2016 candles"),
        (["warm_up=600"], r"600 candles are more than the history\.rewind_candles = 500"),
        (["warm_up=600", "history.candles=500"], r"more than the history\.candles = 500 that are kept"),
        (["worker.stall_timeout=20s"], r"not longer than kafka\.rebalance_timeout = 20s"),
        (['inputs=[{"topic":"p.predictions"}]', "topics.prefix=p."], r"p\.predictions is a topic of our own"),
        (['inputs=[{"topic":"a"},{"topic":"a"}]'], "a is there twice"),
    ],
)
def test_impossible_settings_are_refused_with_the_arithmetic(overrides: list[str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        of_overrides(*overrides)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
def test_a_loopback_gateway_needs_no_token(host: str) -> None:
    assert of_overrides(f"http.host={host}").http.host == host


def test_an_open_gateway_is_possible_with_a_token() -> None:
    assert of_overrides("http.host=0.0.0.0", "http.token=s").http.host == "0.0.0.0"


# What others take from the tree


def test_the_engine_of_the_defaults_is_the_engine_by_default() -> None:
    assert load(None, [], {}).engine() == EngineConfig()


def test_every_setting_of_the_engine_comes_from_the_tree() -> None:
    engine = of_overrides(
        'horizons=["2h"]',
        "prediction.max_horizon_candles=99",
        "confidence=0.9",
        "model=har",
        'features=["hour","ranges"]',
        "history.candles=700",
        "warm_up=50",
        "gaps.max_gap=3",
        "gaps.policy=flat",
        "training.expiry=90m",
        "training.expiry_jitter=0.1",
        "prediction.neutral_band=0.002",
        "prediction.max_path_points=7",
        "training.seed=3",
        'drift.detectors=["adwin"]',
        "drift.page_hinkley_threshold=5",
        "drift.page_hinkley_delta=0.2",
        "drift.adwin_delta=0.01",
        "drift.cooldown=7",
        "drift.retrain_on_drift=true",
        "quality.demote=false",
        "quality.half_life=700",
        "quality.margin=0.3",
        "hyperparameters.ridge=2",
        "hyperparameters.hidden=8",
        "hyperparameters.epochs=3",
        "hyperparameters.learning_rate=0.01",
        "hyperparameters.l2=0",
        "hyperparameters.l2_heads=0.5",
    ).engine()
    assert engine == EngineConfig(
        horizons=("2h",),
        max_horizon_candles=99,
        confidence=0.9,
        model="har",
        features=("ranges", "hour"),
        history_candles=700,
        warm_up=50,
        max_gap=3,
        gap_policy="flat",
        expiry_ms=5_400_000,
        expiry_jitter=0.1,
        neutral_band=0.002,
        max_path_points=7,
        seed=3,
        drift=DriftConfig(
            detectors=("adwin",),
            page_hinkley_threshold=5.0,
            page_hinkley_delta=0.2,
            adwin_delta=0.01,
            cooldown=7,
            retrain=True,
        ),
        demotion=DemotionConfig(on=False, half_life=700.0, margin=0.3),
        hyperparameters=Hyperparameters(
            ridge=2.0, hidden=8, epochs=3, learning_rate=0.01, l2=0.0, l2_heads=0.5
        ),
    )
    unchanged = [
        field.name
        for given, usual in (
            (engine, EngineConfig()),
            (engine.drift, DriftConfig()),
            (engine.demotion, DemotionConfig()),
        )
        for field in fields(given)
        if getattr(given, field.name) == getattr(usual, field.name)
    ]
    assert unchanged == []


@pytest.mark.parametrize("name", MODEL_TYPES)
def test_every_model_type_can_be_chosen(name: str) -> None:
    assert of_overrides(f"model={name}").engine().model == name


def test_settings_are_frozen() -> None:
    settings = load(None, [], {})
    with pytest.raises(ValueError, match="frozen"):
        settings.kafka.group = "other"


# Durations


@given(st.floats(0, 1e12))
@example(math.nextafter(3600, math.inf))
def test_a_duration_is_written_so_that_it_is_read_again(length: float) -> None:
    assert seconds(shortest(length)) == length


@pytest.mark.parametrize(
    "value", ["", "h", "1 week", "-1s", "1e999s", "nan", "٣s", -1, float("nan"), True, None, [1]]
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="24h or 500ms"):
        seconds(value)


@pytest.mark.parametrize(
    "wrong", ["ridge=0.5", "hidden=6", "hidden=132", "epochs=0", "learning_rate=1", "l2=-1", "l2_heads=nan"]
)
def test_a_hyper_parameter_out_of_its_bounds_is_refused(wrong: str) -> None:
    name, _, value = wrong.partition("=")
    with pytest.raises(SettingsError, match=rf"hyperparameters\.{name} = '{value}' \(from --set\)"):
        of_overrides(f"hyperparameters.{wrong}")


def test_a_hyper_parameter_that_is_not_set_is_the_models_own() -> None:
    assert Settings().engine().hyperparameters == Hyperparameters()
    assert of_overrides("hyperparameters.ridge=").engine().hyperparameters == Hyperparameters()
