"""Records a healthy worker's metrics as input of `promtool test rules`: tests/deploy/healthy.test.yml.

    PYTHONPATH=. python tests/deploy/record_healthy.py 40        # minutes

Run it again when an alert asks for another metric, or a worker tells one differently.
"""

import re
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

from stream_lstm.kafka.embedded import EmbeddedKafka
from tests.deploy.live_scene import ROOT, Prometheus, Service

STEP_SECONDS = 30
SERIES, CANDLES_A_SECOND = "3", "2"
TARGET = "stream-lstm-0:9109"
PATH = ROOT / "tests/deploy/healthy.test.yml"


def metrics() -> list[str]:
    """Every metric of ours that a rule asks for."""
    rules = YAML(typ="safe").load(ROOT / "deploy/prometheus/rules.yml")
    exprs = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return sorted({name for expr in exprs for name in re.findall(r"\b(?:stream_lstm_\w+|up)\b", expr)})


def play(folder: Path, minutes: float) -> list[dict[str, object]]:
    """A worker, healthy from its start, as series of samples `STEP_SECONDS` apart."""
    with (
        EmbeddedKafka() as broker,
        Service(folder, broker.bootstrap_servers, {"metrics.per_series": False}) as service,
        Prometheus(folder / "prometheus", service.port, "5s") as prometheus,
    ):
        service.do("topics", "create", "--partitions", "2", "--keep-for-ever")
        service.start("feeder", "replay", "--synthetic", SERIES, "--speed", CANDLES_A_SECOND)
        began = time.time()
        service.start("worker", "run")
        prometheus.wait_for('up{job="stream-lstm"} == 1')
        while time.time() < began + minutes * 60:
            time.sleep(5)
        return samples(prometheus, began, time.time())


def samples(prometheus: Prometheus, began: float, ended: float) -> list[dict[str, object]]:
    """As `promtool test rules` reads them, whose clock begins at 0: so do timestamps."""
    steps = int((ended - began) // STEP_SECONDS)
    found: list[dict[str, object]] = []
    for metric in metrics():
        answer = prometheus.ask(
            "query_range",
            query=metric,
            start=f"{began}",
            end=f"{began + steps * STEP_SECONDS}",
            step=f"{STEP_SECONDS}",
        )
        shift = began if metric.endswith("_timestamp_seconds") else 0.0
        for one in answer["result"]:
            values = {round((at - began) / STEP_SECONDS): float(value) for at, value in one["values"]}
            told = [f"{values[at] - shift:.6g}" if at in values else "_" for at in range(steps + 1)]
            labels = one["metric"] | {"instance": TARGET}
            name = labels.pop("__name__")
            matchers = ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
            found.append({"series": f"{name}{{{matchers}}}", "values": " ".join(told)})
    return found


def main(minutes: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        series = play(Path(folder), minutes)
    steps = len(str(series[0]["values"]).split()) - 1
    minutes = steps * STEP_SECONDS // 60
    test = {
        "name": f"a healthy worker, {minutes} minutes from its start",
        "interval": f"{STEP_SECONDS}s",
        "input_series": series,
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1d]))',
                "eval_time": f"{minutes}m",
                "exp_samples": [],
            }
        ],
    }
    document = {
        "rule_files": ["../../deploy/prometheus/rules.yml"],
        "evaluation_interval": "15s",
        "tests": [test],
    }
    yaml = YAML()
    yaml.width = 1_000_000
    with PATH.open("w") as file:
        file.write("# A recording by tests/deploy/record_healthy.py: no alert speaks in it.\n\n")
        yaml.dump(document, file)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 40.0)
