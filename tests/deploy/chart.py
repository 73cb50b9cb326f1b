"""The Helm chart as it is rendered: by Helm, or as it was rendered and kept for machines without.

PYTHONPATH=. python tests/deploy/chart.py        # renders and keeps all cases; wants Helm
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/k8s/chart"
KEPT = Path(__file__).parent / "rendered"
KUBERNETES = "1.34"
EVERYTHING: dict[str, Any] = {
    "keda": {"enabled": True},
    "monitoring": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "settings": {
        "training.expiry": "12h",
        "horizons": ["1h", "4h"],
        "history.candles": 5000,
        "kafka.security.protocol": "SSL",
        "kafka.security.ca_file": "/run/secrets/my-cluster-cluster-ca-cert/ca.crt",
        "kafka.security.cert_file": "/run/secrets/stream-lstm/user.crt",
        "kafka.security.key_file": "/run/secrets/stream-lstm/user.key",
    },
    "imagePullSecrets": [{"name": "registry"}],
    "worker": {"nodeSelector": {"disk": "fast"}, "podAnnotations": {"team": "forecasts"}},
    "envFrom": [{"secretRef": {"name": "bucket"}}],
    "secretFiles": [{"name": "my-cluster-cluster-ca-cert", "items": ["ca.crt"]}, {"name": "stream-lstm"}],
}
BUCKET: dict[str, Any] = {
    "store": {"url": "s3://models/eu"},
    "gateway": {"enabled": False},
    "serviceAccount": {"create": False},
    "worker": {"longestRestoreSeconds": 3_601},
}
CLAIM: dict[str, Any] = {
    "store": {"volume": {"claim": "models"}},
    "podDisruptionBudget": {"enabled": False},
    "worker": {"longestRestoreSeconds": 30},
}
CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "bucket": BUCKET,
    "claim": CLAIM,
}


def helm() -> str | None:
    """Where Helm is, if it is here."""
    return os.environ.get("STREAM_LSTM_TEST_HELM") or shutil.which("helm")


def digest() -> str:
    """Of everything that a rendering depends on: the chart, the rules in it, and the cases."""
    read = hashlib.sha256(json.dumps([KUBERNETES, CASES], sort_keys=True).encode())
    for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
        read.update(str(path.relative_to(CHART)).encode() + b"\0" + path.read_bytes())
    return read.hexdigest()


def rendered(values: Mapping[str, Any]) -> str:
    """What Helm makes of the chart with these values."""
    program = helm()
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "values.json"
        given.write_text(json.dumps(values))
        command = [program, "template", "demo", CHART, "--values", given, "--kube-version", KUBERNETES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kept(case: str) -> str:
    """A case as it was rendered last."""
    return (KEPT / f"{case}.yaml").read_text()


def headed(text: str) -> str:
    """A rendering with what it was made from."""
    return f"# By tests/deploy/chart.py, from what has the SHA-256 {digest()}.\n{text}"


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for case, values in CASES.items():
        (KEPT / f"{case}.yaml").write_text(headed(rendered(values)))
