"""`stream-lstm tune` as a user gives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from stream_lstm.cli import app
from stream_lstm.errors import SettingsError
from stream_lstm.models.hyperparameters import UNSET, Hyperparameters
from stream_lstm.models.registry import MODEL_TYPES, NETWORKS
from stream_lstm.settings import Settings, load
from stream_lstm.settings.description import FIELDS
from stream_lstm.tuning.period import Period, period_of
from stream_lstm.tuning.settings_file import settings_file
from stream_lstm.tuning.space import RANGES, space_of
from tests.tuning.conftest import HOUR, START, by_the_hour

optuna = pytest.importorskip("optuna")

OPTIONS = ["--model", "har", "--horizons", "1h,2h", "--history", "600", "--retrain", "7d"]
FROM = ["--from", "2020-09-21", "--set", "hyperparameters.ridge=1e9"]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["tune", *arguments])


def test_what_it_writes_is_what_run_takes(csv: Path, tmp_path: Path) -> None:
    base, output = tmp_path / "base.toml", tmp_path / "tuned.toml"
    base.write_text(
        'model = "lstm"\ninputs = [{topic = "candles", exchange = "okx"}]\n'
        '[kafka]\ngroup = "é\\"x"\nsecurity.protocol = "SASL_SSL"\nsecurity.username = "u"\n'
        'security.mechanism = "PLAIN"\nsecurity.password = "hidden"\n'
        "[hyperparameters]\nepochs = 2\nridge = 5.0\n"
    )
    files = ["--config", str(base), "--output", str(output)]
    result = run(str(csv), *OPTIONS, *FROM, *files, "--trials", "4", "--holdout", "0.5", "--json")
    assert result.exit_code == 0, result.output
    said = orjson.loads(result.stdout)
    assert said["holdout"]["verdict"] == "better"
    assert said["written"] == str(output)
    text = output.read_text()
    assert "hidden" not in text
    assert "# kafka.security.password of" in text
    assert text.startswith("# Tuning pays: ")
    settings = load(output, ["kafka.security.password=again"], {})
    assert settings.model == "har"
    assert settings.kafka.group == 'é"x'
    assert settings.inputs[0].exchange == "okx"
    assert settings.horizons == Settings().horizons
    assert settings.engine().hyperparameters == Hyperparameters(**said["found"])
    assert settings.hyperparameters.epochs == 2
    shown = CliRunner().invoke(
        app, ["config", "show", "--json", "--config", str(output), "--set", "kafka.security.password=x"]
    )
    assert shown.exit_code == 0, shown.output


def test_only_if_better_writes_nothing_that_is_not(csv: Path, tmp_path: Path) -> None:
    output = tmp_path / "tuned.toml"
    result = run(str(csv), *OPTIONS, *FROM, "--trials", "1", "--output", str(output), "--only-if-better")
    assert result.exit_code == 0, result.output
    assert "Tuning does not pay" in result.stdout
    assert "No settings are written" in result.stdout
    assert not output.exists()
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--model", "naive"], "'naive' has nothing to tune"),
        (["--model", "arima"], "'arima' is none"),
        (["--parameters", "epochs"], "'har' reads no 'epochs': choose from ridge"),
        (["--holdout-from", "2030-01-01"], "the hold-out from 2030-01-01"),
        (["--storage", "nowhere:///x"], "--storage nowhere"),
        (["--set", "hyperparameters.hidden=5"], "hyperparameters.hidden = '5'"),
    ],
)
def test_what_cannot_be_done_is_said(csv: Path, options: list[str], told: str) -> None:
    result = run(str(csv), *OPTIONS, *options)
    assert isinstance(result.exception, SettingsError)
    assert told in str(result.exception)


def test_without_optuna_it_says_what_to_install(csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = run(str(csv), *OPTIONS)
    assert "pip install 'stream-lstm[tune]'" in str(result.exception)


@given(st.floats(0.05, 0.9), st.integers(30, 800))
def test_the_search_has_no_candle_of_the_hold_out(part: float, candles: int) -> None:
    files = [by_the_hour("BTC", candles), by_the_hour("ETH", candles + 20)]
    period = period_of(files, from_ms=None, to_ms=None, holdout_ms=None, part=part)
    for before, whole in zip(period.searched(files), files, strict=True):
        count = len(before.open_ms)
        assert before.open_ms[-1] + HOUR - 1 < period.holdout_ms
        assert count == len(whole.open_ms) or whole.open_ms[count] + HOUR - 1 >= period.holdout_ms
    assert period.to_ms == START + (candles + 20) * HOUR - 1


def test_a_file_that_begins_with_the_hold_out_is_named() -> None:
    late = by_the_hour("NEW")._replace(open_ms=by_the_hour("NEW").open_ms + 10_000 * HOUR)
    with pytest.raises(SettingsError, match="NEW 1h begins with the hold-out"):
        Period(START, START + 500 * HOUR, START + 10_900 * HOUR).searched([late])


@pytest.mark.parametrize("name", [*NETWORKS, "har"])
def test_every_value_that_may_be_tried_is_a_setting_and_the_models_own_is_among_them(name: str) -> None:
    own = MODEL_TYPES[name].own
    for parameter, known in space_of(name, own, [], UNSET).items():
        assert known.low <= own.given[parameter] <= known.high
        for value in (known.low, known.high):
            load(None, [f"hyperparameters.{parameter}={known.tidy(value)}"], {})
    assert RANGES.keys() == {each.partition(".")[2] for each in FIELDS if each.startswith("hyperparameters.")}


@given(st.builds(Hyperparameters, ridge=st.none() | st.floats(1, 1e9), l2=st.none() | st.floats(0, 1)))
def test_what_was_found_comes_back_from_the_file(
    tmp_path_factory: pytest.TempPathFactory, found: Hyperparameters
) -> None:
    path = tmp_path_factory.mktemp("found") / "tuned.toml"
    path.write_text(settings_file(Settings(), None, "har", found, ["as it was"]))
    assert load(path, [], {}).engine().hyperparameters == found


@pytest.mark.slow
def test_two_processes_stopped_by_ctrl_c_go_on_and_try_what_they_would_have_tried(
    csv: Path, tmp_path: Path
) -> None:
    def command(name: str) -> list[str]:
        storage = f"sqlite:///{tmp_path}/{name}.db"
        whole = [sys.executable, "-m", "stream_lstm", "tune", str(csv), *OPTIONS, *FROM]
        return [*whole, "--trials", "12", "--jobs", "2", "--storage", storage, "--json"]

    def ended(name: str) -> list[Any]:
        study = optuna.load_study(study_name="har", storage=f"sqlite:///{tmp_path}/{name}.db")
        known = [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]
        return [(trial.params, trial.value) for trial in known]

    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        command("stopped"), env=environment, stderr=subprocess.PIPE, start_new_session=True, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not ((tmp_path / "stopped.db").exists() and _some(ended)):
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130, error
    assert "the same command goes on" in error
    assert "Traceback" not in error
    assert 0 < len(ended("stopped")) < 12
    for name in ("stopped", "whole"):
        done = subprocess.run(command(name), env=environment, capture_output=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
    assert ended("stopped") == ended("whole")
    assert len(ended("whole")) == 12


def _some(ended: Any) -> bool:
    try:
        return bool(ended("stopped"))
    except (KeyError, optuna.exceptions.OptunaError):
        return False
