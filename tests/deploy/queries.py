"""Every query that Grafana and Prometheus make of us: panels, variables and rules."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
RULES = YAML(typ="safe").load(ROOT / "deploy/prometheus/rules.yml")
SELECTOR = re.compile(r"(?<![\w:\"])(stream_lstm[\w:]+|process_\w+|up)\b(?:\{([^}]*)\})?")
_LISTED = re.compile(r"label_values\((.*), *(\w+)\)")


class Query(NamedTuple):
    where: str
    expr: str
    legend: str


class Variable(NamedTuple):
    """A list to choose from: the values of a label of what a selector finds."""

    name: str
    selector: str
    label: str


def rules() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> list[str]:
    return [rule["record"] for rule in rules() if "record" in rule]


def board(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def panels() -> Iterator[Query]:
    for path in DASHBOARDS:
        for panel in board(path)["panels"]:
            for target in panel["targets"]:
                where = f"{path.stem}: {panel['title']}: {target['refId']}"
                yield Query(where, target["expr"], target["legendFormat"])


def variables() -> Iterator[Variable]:
    """In the order in which they are chosen."""
    for path in DASHBOARDS:
        for one in board(path)["templating"].get("list", []):
            found = _LISTED.fullmatch(one["query"]["query"])
            assert found, one
            yield Variable(one["name"], found[1], found[2])


def of_rules() -> Iterator[Query]:
    for rule in rules():
        summary = rule.get("annotations", {}).get("summary", "")
        yield Query(rule.get("alert") or rule["record"], rule["expr"], summary)


def filled(expr: str, chosen: dict[str, str], window: str = "30s") -> str:
    """A query as Grafana sends it: the window, and what was chosen."""
    expr = expr.replace("$__rate_interval", window)
    for name, value in chosen.items():
        expr = expr.replace(f"${name}", value)
    return expr
