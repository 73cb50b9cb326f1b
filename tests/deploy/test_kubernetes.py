"""What Kubernetes is given: the chart as Helm renders it, and the topics and users of Strimzi.

Without Helm the renderings that are kept are looked at, and must be of this chart.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from stream_lstm.kafka.acls import PROGRAMS, Installation
from stream_lstm.kafka.topics import TopicNames, specs
from stream_lstm.settings import load
from stream_lstm.settings.sections import Worker
from tests.deploy import chart
from tests.deploy.chart import CASES, CHART, KUBERNETES

OURS = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}
"""Of operators, whose schemas Kubernetes has not."""

Document = Mapping[str, Any]


def documents(text: str) -> list[Document]:
    return [one for one in YAML(typ="safe").load_all(text) if one]


def render(case: str) -> list[Document]:
    return documents(chart.rendered(CASES[case]) if chart.helm() else chart.kept(case))


@pytest.fixture(scope="session")
def values() -> dict[str, Any]:
    told: dict[str, Any] = YAML(typ="safe").load(CHART / "values.yaml")
    return told


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return told


def of(rendered: list[Document], kind: str, name: str = "demo") -> Document:
    (found,) = (one for one in rendered if one["kind"] == kind and one["metadata"]["name"] == name)
    return found


def pod(rendered: list[Document], kind: str, name: str = "demo") -> Document:
    spec: Document = of(rendered, kind, name)["spec"]["template"]["spec"]
    return spec


def environment(container: Document) -> dict[str, str]:
    """Its variables; those that come from elsewhere as `x`."""
    return {one["name"]: one.get("value", "x") for one in container["env"]}


@pytest.mark.parametrize("case", CASES)
def test_what_is_kept_is_of_this_chart(case: str) -> None:
    text = chart.kept(case)
    assert chart.headed("") == f"{text.splitlines()[0]}\n", "run tests/deploy/chart.py, which wants Helm"
    if chart.helm():
        assert documents(text) == documents(chart.rendered(CASES[case]))


@pytest.mark.parametrize("case", CASES)
def test_what_is_rendered_satisfies_the_schemas_of_kubernetes(case: str) -> None:
    for document in render(case):
        if document["kind"] not in OURS:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("case", CASES)
def test_pods_have_no_rights_and_write_only_where_they_must(case: str) -> None:
    for document in render(case):
        if document["kind"] not in {"StatefulSet", "Deployment"}:
            continue
        spec = document["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {mount["mountPath"] for mount in container["volumeMounts"]} <= {"/tmp", "/var/lib/stream-lstm"}
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            one["name"] for one in spec["volumes"]
        }


@pytest.mark.parametrize("case", CASES)
def test_the_variables_of_a_pod_are_settings(case: str) -> None:
    rendered = render(case)
    (worker,) = pod(rendered, "StatefulSet")["containers"]
    settings = load(None, [], environment(worker))
    assert settings.metrics.port == worker["ports"][0]["containerPort"]
    assert settings.metrics.host == "0.0.0.0"
    if case == "everything":
        assert settings.horizons == ("1h", "4h")
        assert settings.training.expiry == 43_200
    if case != "bucket":
        (gateway,) = pod(rendered, "Deployment", "demo-gateway")["containers"]
        assert load(None, [], environment(gateway)).http.token is not None


def test_the_name_of_the_pod_is_the_name_in_the_group() -> None:
    (worker,) = pod(render("defaults"), "StatefulSet")["containers"]
    (instance,) = (one for one in worker["env"] if one["name"] == "STREAM_LSTM_WORKER__INSTANCE")
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@pytest.mark.parametrize(("case", "seconds"), [("claim", 30), ("defaults", 600), ("bucket", 3_601)])
def test_the_start_up_probe_outlasts_the_longest_restore(case: str, seconds: int) -> None:
    (worker,) = pod(render(case), "StatefulSet")["containers"]
    probe = worker["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > seconds
    assert probe["httpGet"]["path"] == worker["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert worker["livenessProbe"]["httpGet"]["path"] == "/livez"  # readiness must never end a pod


def test_a_pod_is_given_the_time_that_a_worker_needs_to_stop(values: dict[str, Any]) -> None:
    assert values["worker"]["terminationGracePeriodSeconds"] > Worker().shutdown_timeout


def test_replicas_are_left_to_the_autoscaler() -> None:
    assert "replicas" in of(render("defaults"), "StatefulSet")["spec"]
    assert "replicas" not in of(render("everything"), "StatefulSet")["spec"]


def test_an_hours_burst_scales_nothing() -> None:
    """Lag counts that has not been gone for a moment in ten minutes, and then one pod at a time."""
    spec = of(render("everything"), "ScaledObject")["spec"]
    (trigger,) = spec["triggers"]
    assert "min_over_time(" in trigger["metadata"]["query"]
    assert "stream_lstm_consumer_lag_seconds" in trigger["metadata"]["query"]
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 3_600  # one burst until the next
    for way in behaviour.values():
        assert all(policy["type"] == "Pods" and policy["value"] == 1 for policy in way["policies"])


def test_the_query_of_the_autoscaler_is_promql(promtool: Callable[..., str], tmp_path: Path) -> None:
    (trigger,) = of(render("everything"), "ScaledObject")["spec"]["triggers"]
    rule = {"record": "query:1", "expr": trigger["metadata"]["query"]}
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": [rule]}]}))
    promtool("check", "rules", path)


def test_prometheus_finds_the_workers_under_the_name_that_rules_know() -> None:
    rendered = render("everything")
    monitor, service = of(rendered, "ServiceMonitor")["spec"], of(rendered, "Service")
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {"targetLabel": "job", "replacement": "stream-lstm"} in endpoint["relabelings"]


def test_the_rules_of_the_cluster_are_those_that_are_tested(read_yaml: Any) -> None:
    assert of(render("everything"), "PrometheusRule")["spec"] == read_yaml("deploy/prometheus/rules.yml")


def test_every_selector_finds_the_pods_that_it_means() -> None:
    rendered = render("everything")
    for kind, name in (("StatefulSet", "demo"), ("Deployment", "demo-gateway")):
        labels = of(rendered, kind, name)["spec"]["template"]["metadata"]["labels"]
        selected = of(rendered, kind, name)["spec"]["selector"]["matchLabels"]
        assert selected.items() <= labels.items()
        assert of(rendered, "Service", name)["spec"]["selector"] == selected


def test_the_values_satisfy_their_schema_and_every_one_is_in_it(
    values: dict[str, Any], schema: dict[str, Any]
) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(values, schema)
    assert values.keys() | {"global"} == schema["properties"].keys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 3},
        {"worker": {"replicas": -1}},
        {"worker": {"terminationGracePeriodSeconds": 20}},
        {"kafka": {"bootstrapServers": "kafka", "group": "g"}},
        {"store": {"url": "/var/lib"}},
        {"settings": {"Training.Expiry": "1d"}},
        {"keda": {"scaleDownStabilisationSeconds": 7_200}},
    ],
    ids=str,
)
def test_values_that_cannot_be_are_refused(
    values: dict[str, Any], schema: dict[str, Any], wrong: dict[str, Any]
) -> None:
    given = {
        name: (values[name] | wrong[name] if isinstance(values.get(name), dict) else wrong[name])
        for name in wrong
    }
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values | given, schema)


def test_the_topics_are_those_that_the_command_makes(root: Path) -> None:
    wanted = {spec.name: spec for spec in specs(TopicNames(), ["candles"])}
    topics = documents((root / "deploy/k8s/strimzi/topics.yaml").read_text())
    assert [one["spec"]["topicName"] for one in topics] == list(wanted)
    for topic in topics:
        spec = wanted[topic["spec"]["topicName"]]
        assert topic["spec"]["partitions"] == spec.partitions
        told = {name: str(value) for name, value in topic["spec"]["config"].items()}
        assert told == spec.configs(topic["spec"]["replicas"])


def test_a_worker_and_a_gateway_may_do_what_they_must_and_no_more(root: Path) -> None:
    """As docs/operations.md says under "Access to Kafka"."""
    users = {
        one["metadata"]["name"]: {
            (acl["resource"]["type"], acl["resource"]["name"]): set(acl["operations"]) - {"Describe"}
            for acl in one["spec"]["authorization"]["acls"]
        }
        for one in documents((root / "deploy/k8s/strimzi/users.yaml").read_text())
    }
    at = Installation(TopicNames(), ["candles"], [], "stream-lstm", exactly_once=True)
    for program in ("worker", "gateway"):
        wanted: dict[tuple[str, str], set[str]] = {}
        for acl in PROGRAMS[program](at):
            kind = acl.resource.replace("transactional-id", "transactionalId")
            wanted.setdefault((kind, acl.name), set()).add(acl.operation)
        assert users[f"stream-lstm-{program}"] == wanted
