"""Whether Prometheus and Grafana ask for what a worker has: names, labels, and the values of labels."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stream_lstm.observability.metrics import Metrics
from stream_lstm.settings import Settings, describe
from tests.deploy.queries import (
    DASHBOARDS,
    SELECTOR,
    Query,
    alerts,
    board,
    filled,
    of_rules,
    panels,
    recorded,
    rules,
    variables,
)

TARGET_LABELS = {"job", "instance"}
OF_PROMETHEUS = ("up", "process_cpu_seconds_total", "process_resident_memory_bytes")
"""What it knows without us, or every client tells it."""
GROUPING = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right) *\(([^)]*)\)")
QUERIES = [*panels(), *of_rules()]


class Declared(NamedTuple):
    labels: set[str]
    meaning: str


@pytest.fixture(scope="module")
def declared() -> dict[str, Declared]:
    """Every name under which a sample appears."""
    names = {name: Declared(TARGET_LABELS, "") for name in OF_PROMETHEUS}
    registry = Metrics.create(per_series=True).registry
    for collector, samples in registry._collector_to_names.items():
        labels = TARGET_LABELS | set(getattr(collector, "_labelnames", ()))
        told = getattr(collector, "_value", None)
        labels |= set(told) if isinstance(told, dict) else set()  # of an info
        for name in samples:
            extra = {"le"} if name.endswith("_bucket") else set()
            names[name] = Declared(labels | extra, getattr(collector, "_documentation", ""))
    return names


def labels_of(expr: str, declared: dict[str, Declared]) -> set[str]:
    """The labels of everything that a query selects, through what is recorded."""
    labels: set[str] = set()
    for name, _ in SELECTOR.findall(expr):
        if ":" in name:
            (rule,) = (rule for rule in rules() if rule.get("record") == name)
            labels |= labels_of(rule["expr"], declared) | {"nominal"}
        else:
            labels |= declared[name].labels
    return labels


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_a_query_asks_for_metrics_that_are_declared_with_the_labels_that_they_have(
    query: Query, declared: dict[str, Declared]
) -> None:
    found = SELECTOR.findall(query.expr)
    assert found or query.where in recorded()
    known = labels_of(query.expr, declared)
    for name, matchers in found:
        assert name in declared or name in recorded()
        for label, value in re.findall(r'(\w+)="([^"]*)"', matchers):
            assert label in declared[name].labels
            given = label in TARGET_LABELS | {"le"} or value.startswith("$")
            assert given or value in declared[name].meaning
    grouped = {label.strip() for group in GROUPING.findall(query.expr) for label in group.split(",")} - {""}
    shown = set(re.findall(r"\{\{ *(?:\$labels\.)?(\w+) *\}\}", query.legend))
    assert grouped | shown <= known | {"nominal"}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_a_legend_shows_only_labels_that_the_query_leaves(query: Query) -> None:
    aggregated = re.match(r"^[\d* ]*(?:sum|max|avg|count|histogram_quantile)\b", query.expr)
    left = {label.strip() for group in GROUPING.findall(query.expr)[:1] for label in group.split(",")}
    shown = set(re.findall(r"\{\{ *(?:\$labels\.)?(\w+) *\}\}", query.legend))
    assert not aggregated or shown <= left


def test_the_queries_of_the_dashboards_are_promql(promtool: Callable[..., str], tmp_path: Path) -> None:
    exprs = [filled(query.expr, {}) for query in QUERIES]
    exprs += [variable.selector for variable in variables()]
    records = [{"record": f"query:{at}", "expr": expr} for at, expr in enumerate(exprs)]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": records}]}))
    assert f"{len(records)} rules found" in promtool("check", "rules", path)


def test_prometheus_accepts_its_configuration(promtool: Callable[..., str]) -> None:
    said = promtool("check", "config", "deploy/prometheus/prometheus.yml")
    assert "1 rule files found" in said


def test_every_alert_speaks_when_it_must_and_not_before(promtool: Callable[..., str]) -> None:
    promtool("test", "rules", "tests/deploy/alerts.test.yml")


def test_no_alert_speaks_while_a_worker_is_healthy(promtool: Callable[..., str]) -> None:
    promtool("test", "rules", "tests/deploy/healthy.test.yml")


def test_the_healthy_recording_has_everything_that_alerts_ask_for(read_yaml: Callable[[str], Any]) -> None:
    (test,) = read_yaml("tests/deploy/healthy.test.yml")["tests"]
    there = {series["series"].partition("{")[0] for series in test["input_series"]}
    assert there >= {
        name for query in of_rules() for name, _ in SELECTOR.findall(query.expr) if ":" not in name
    }


def test_every_alert_is_tested_both_ways(read_yaml: Callable[[str], Any]) -> None:
    tests = read_yaml("tests/deploy/alerts.test.yml")["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    declared = {rule["alert"] for rule in alerts()}
    for speaks in (True, False):
        assert declared == {case["alertname"] for case in cases if bool(case["exp_alerts"]) is speaks}


def test_every_alert_has_a_paragraph_in_the_runbook(root: Path) -> None:
    text = (root / "docs/operations.md").read_text()
    paragraphs = dict(re.findall(r"^#+ (StreamLstm\w+)\n+(\S.*)$", text, re.MULTILINE))
    runbooks = {rule["alert"]: rule["annotations"]["runbook"] for rule in alerts()}
    assert paragraphs.keys() == runbooks.keys()
    for alert, runbook in runbooks.items():
        assert runbook == f"docs/operations.md#{alert.lower()}"


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(table: str) -> list[str]:
    """What stands in code quotes in the first column."""
    cells = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_metric_is_explained_with_its_labels(root: Path, declared: dict[str, Declared]) -> None:
    written = first_cells(section((root / "docs/operations.md").read_text(), "Metrics"))
    explained = {name: set(re.findall(r"\w+", labels)) for name, labels in map(split, written)}
    parts = re.compile(r"_(bucket|count|sum|created)$")
    names = {name for name in declared if name.startswith("stream_lstm_") and not parts.search(name)}
    families = {name for name in names if not {f"{name}_total", f"{name}_info"} & declared.keys()}
    assert {f"stream_lstm_{name}" for name in explained} == families
    for name, labels in explained.items():
        if not name.endswith("_info"):
            assert labels == declared[f"stream_lstm_{name}"].labels - TARGET_LABELS


def split(written: str) -> tuple[str, str]:
    """Name and labels of a metric as it is written."""
    name, _, labels = written.partition("{")
    return name, labels


def test_every_setting_that_matters_is_one(root: Path) -> None:
    named = first_cells(section((root / "docs/operations.md").read_text(), "Settings that matter"))
    assert named
    assert set(named) <= {setting.name for setting in describe(Settings())}


def test_grafana_finds_the_data_source_and_the_dashboards(
    root: Path, read_yaml: Callable[[str], Any]
) -> None:
    provisioning = "deploy/grafana/provisioning"
    (source,) = read_yaml(f"{provisioning}/datasources/prometheus.yml")["datasources"]
    (provider,) = read_yaml(f"{provisioning}/dashboards/stream-lstm.yml")["providers"]
    grafana = read_yaml("docker-compose.yml")["services"]["grafana"]
    mounts = {mount.split(":")[1]: mount.split(":")[0] for mount in grafana["volumes"]}
    folder = root / mounts[provider["options"]["path"]]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert sorted(folder.glob("*.json")) == DASHBOARDS
    assert (folder / home.relative_to(provider["options"]["path"])).exists()
    for path in DASHBOARDS:
        assert {panel["datasource"]["uid"] for panel in board(path)["panels"]} == {source["uid"]}


def test_a_scrape_is_what_grafana_takes_for_one(read_yaml: Callable[[str], Any]) -> None:
    (source,) = read_yaml("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    config = read_yaml("deploy/prometheus/prometheus.yml")
    assert source["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]


def test_the_dashboards_are_what_their_source_makes(root: Path) -> None:
    made = [sys.executable, "deploy/grafana/source", "--check"]
    done = subprocess.run(made, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_panel_says_what_it_shows() -> None:
    for path in DASHBOARDS:
        for panel in board(path)["panels"]:
            assert panel["description"]


def test_panels_do_not_overlap() -> None:
    for path in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in board(path)["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert at["x"] + at["w"] <= 24
            assert not cells & taken
            taken |= cells


def test_prometheus_looks_for_workers_where_they_serve(read_yaml: Callable[[str], Any]) -> None:
    (job,) = read_yaml("deploy/prometheus/prometheus.yml")["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    services = read_yaml("docker-compose.yml")["services"]
    assert all(name in services for name in discovery["names"])
    assert job["job_name"] == "stream-lstm"
