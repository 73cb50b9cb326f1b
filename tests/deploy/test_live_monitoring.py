"""Every query of every panel, variable and rule, put to a real Prometheus that scrapes a real worker."""

import asyncio
import math
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer

from stream_lstm.candles.moments import symbols
from stream_lstm.kafka.embedded import EmbeddedKafka
from tests.deploy.live_scene import Prometheus, Service
from tests.deploy.queries import SELECTOR, Query, alerts, filled, of_rules, panels, recorded, variables

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(480),
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="no prometheus (`apt-get install prometheus`)"
    ),
]
SERIES = 3
WINDOW = "2m"
"""Longer than the scene takes: what has happened in it is seen."""
TRAINED = 'stream_lstm_trainings_total{outcome="trained"} > 3'
MATURED = 'stream_lstm:coverage_off:ratio{horizon="7d"}'
DOWN = 'up{job="stream-lstm"} == 0'
LIVE_AGAIN = "stream_lstm_consumer_restore_duration_seconds_count == 2"


class Scene(NamedTuple):
    prometheus: Prometheus
    chosen: dict[str, str]
    """The variables of the dashboards."""


@pytest.fixture(scope="module")
def scene(private_kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Trainings, checkpoints, matured forecasts; then commands, dead letters, a worker that was away."""
    folder, broker = tmp_path_factory.mktemp("monitoring"), private_kafka.bootstrap_servers
    with (
        Service(folder, broker, {"store.checkpoint_interval": "2s"}) as service,
        Prometheus(folder / "prometheus", service.port) as prometheus,
    ):
        prometheus.wait_for(DOWN)
        service.do("topics", "create", "--partitions", "2", "--keep-for-ever")
        service.start("feeder", "replay", "--synthetic", str(SERIES), "--speed", "10")
        service.start("worker", "run")
        prometheus.wait_for(TRAINED, 120)
        prometheus.wait_for(MATURED, 120)
        service.stop("worker")
        prometheus.wait_for(DOWN)
        service.start("worker", "run")
        prometheus.wait_for(LIVE_AGAIN)
        asyncio.run(litter(broker))
        name = symbols(SERIES)[0]
        service.do("describe", name, "--json")
        prometheus.wait_for("sum(stream_lstm_dead_letters_total) >= 5")
        prometheus.wait_for("stream_lstm_commands_total")
        prometheus.wait_for(TRAINED, 120)
        prometheus.wait_for(MATURED, 120)
        yield Scene(prometheus, choose(prometheus))


async def litter(broker: str) -> None:
    """Records that nobody can read as candles."""
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for at in range(5):
            await producer.send_and_wait("candles", b"no candle", partition=at % 2)


def choose(prometheus: Prometheus) -> dict[str, str]:
    """The first value of every variable, each list asked for with what was chosen before it."""
    chosen: dict[str, str] = {}
    for variable in variables():
        found = prometheus.ask(
            f"label/{variable.label}/values", **{"match[]": filled(variable.selector, chosen, WINDOW)}
        )
        assert found, f"nothing to choose from for ${variable.name}"
        chosen[variable.name] = found[0]
    return chosen


def said(found: list[dict[str, Any]]) -> list[float]:
    """The figures of an answer."""
    return [value for one in found if not math.isnan(value := float(one["value"][1]))]


def test_the_variables_of_one_series_lead_to_a_series(scene: Scene) -> None:
    assert scene.chosen["symbol"] in symbols(SERIES)
    assert scene.chosen.keys() == {"exchange", "symbol", "interval", "horizon"}


@pytest.mark.parametrize("query", [*panels()], ids=lambda query: query.where)
def test_a_panel_has_data(scene: Scene, query: Query) -> None:
    assert said(scene.prometheus.instant(filled(query.expr, scene.chosen, WINDOW)))


@pytest.mark.parametrize("name", recorded())
def test_what_is_recorded_is_there(scene: Scene, name: str) -> None:
    assert said(scene.prometheus.instant(name))


@pytest.mark.parametrize("rule", [*of_rules()], ids=lambda query: query.where)
def test_everything_that_a_rule_selects_is_there(scene: Scene, rule: Query) -> None:
    """Not the alert itself, which must find nothing here: whatever it looks at."""
    scene.prometheus.instant(rule.expr)
    for name, matchers in SELECTOR.findall(rule.expr):
        assert said(scene.prometheus.instant(f"{name}{{{matchers}}}"))


def test_prometheus_evaluates_every_rule_without_an_error(scene: Scene) -> None:
    groups = scene.prometheus.ask("rules")["groups"]
    told = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert told.keys() == {rule["alert"] for rule in alerts()} | set(recorded())
    assert {rule["health"] for rule in told.values()} == {"ok"}, told


def test_the_dead_letters_and_the_worker_that_was_away_are_seen(scene: Scene) -> None:
    prometheus = scene.prometheus
    assert prometheus.value("sum(increase(stream_lstm_dead_letters_total[5m]))") >= 5
    assert prometheus.value('max_over_time((1 - up{job="stream-lstm"})[10m:1s])') == 1
    assert prometheus.value("sum(increase(stream_lstm_consumer_restore_duration_seconds_count[10m]))") >= 2
