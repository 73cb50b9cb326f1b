"""The search finds what was planted, sees nothing of the hold-out, and goes on where it was stopped."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_lstm.candles.files import CandleFile
from stream_lstm.errors import SettingsError
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.models.har import OWN
from stream_lstm.models.hyperparameters import UNSET, Hyperparameters
from stream_lstm.tuning.period import period_of
from stream_lstm.tuning.search import GoesOn, Judge, Outcome
from stream_lstm.tuning.space import Range
from stream_lstm.tuning.trials import ABREAST
from stream_lstm.tuning.tune import Tuned, Wanted, tune
from tests.tuning.conftest import HOUR, START, by_the_hour

optuna = pytest.importorskip("optuna")

PLANTED = Hyperparameters(ridge=1e9)
"""A ridge that is too strong to see any hour."""
CONFIG = EngineConfig(
    horizons=("1h", "2h"),
    confidence=0.9,
    model="har",
    expiry_ms=7 * 24 * HOUR,
    history_candles=600,
    hyperparameters=PLANTED,
)
SPACE = {"ridge": Range(1e2, 1e9)}


class Nobody:
    """Looks at nothing."""

    def charted(self, done: int, total: int) -> None: ...
    def tried(self, done: float, total: int, best: float | None) -> None: ...
    def judged(self, done: int, total: int) -> None: ...


def wanted(folder: Path, *files: CandleFile, **changes: Any) -> Wanted:
    candles = files or (by_the_hour("BTC"),)
    period = period_of(candles, from_ms=START + 200 * HOUR, to_ms=None, holdout_ms=None, part=0.3)
    whole: dict[str, Any] = {
        "files": candles,
        "period": period,
        "config": CONFIG,
        "objective": "winkler",
        "space": SPACE,
        "trials": 4,
        "jobs": 1,
        "seed": 3,
        "storage": f"sqlite:///{folder}/tune.db",
        "study": "s",
    }
    return Wanted(**whole | changes)


def run(asked: Wanted) -> Tuned:
    return tune(asked, Nobody())


Ended = tuple[dict[str, float], float | None, dict[int, float]]


def trials(asked: Wanted) -> list[Ended]:
    """Parameters, value and values after each lap of all that have ended."""
    study = optuna.load_study(study_name=asked.study, storage=asked.storage)
    return [
        (trial.params, trial.value, trial.intermediate_values)
        for trial in study.get_trials()
        if trial.state.name in ("COMPLETE", "PRUNED")
    ]


def test_a_value_that_is_clearly_better_is_found_and_the_hold_out_says_so(tmp_path: Path) -> None:
    tuned = run(wanted(tmp_path, trials=6))
    assert tuned.found.trials == 6
    assert tuned.found.hyperparameters.ridge is not None
    assert tuned.found.hyperparameters.ridge < 1e6
    assert tuned.found.before is not None
    assert tuned.found.value < 0.95 * tuned.found.before
    assert tuned.verdict.kind == "better"
    assert tuned.verdict.pays
    comparison = tuned.verdict.comparison
    assert comparison is not None
    assert comparison.difference.high < 0
    assert tuned.verdict.sentence.startswith("Tuning pays: ")
    assert [each.horizon for each in tuned.verdict.horizons] == ["1h", "2h"]


def test_the_hold_outs_candles_change_no_trial(tmp_path: Path) -> None:
    honest = by_the_hour("BTC", 600)
    asked = wanted(tmp_path, honest)
    held = honest.open_ms + HOUR - 1 >= asked.period.holdout_ms
    assert 0 < held.sum() < len(held)
    bars = honest.ohlcv.copy()
    bars[held, :4] *= np.linspace(1.5, 3, held.sum())[:, None]
    scrambled = replace(asked, files=[honest._replace(ohlcv=bars)], storage=f"sqlite:///{tmp_path}/other.db")
    one, other = run(asked), run(scrambled)
    assert trials(asked) == trials(scrambled)
    assert one.found == other.found
    assert one.verdict.before != other.verdict.before


@pytest.mark.slow
def test_an_interrupted_round_counts_for_nothing_and_the_study_tries_what_it_would_have_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = wanted(tmp_path, trials=ABREAST + 2, objective="pinball")
    whole = replace(asked, storage=f"sqlite:///{tmp_path}/whole.db")
    expected = run(whole)
    walk, rounds = Judge.run, iter([False, True, True])

    def interrupted(judge: Judge, tried: Sequence[Hyperparameters], goes_on: GoesOn) -> list[Outcome]:
        stops, told = next(rounds, False), iter(range(100))

        def stopped(at: int, value: float | None) -> bool:
            if stops and next(told) == 3:
                raise KeyboardInterrupt
            return goes_on(at, value)

        return walk(judge, tried, stopped)

    monkeypatch.setattr(Judge, "run", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(asked)
    assert len(trials(asked)) == ABREAST
    assert run(asked) == expected
    assert trials(asked) == trials(whole)
    assert len(trials(whole)) == ABREAST + 2


def test_trials_of_a_command_that_was_killed_are_given_up(tmp_path: Path) -> None:
    asked = wanted(tmp_path, trials=1)
    run(asked)
    optuna.load_study(study_name="s", storage=asked.storage).ask()
    tuned = run(replace(asked, trials=2))
    assert tuned.found.trials == 2
    states = [trial.state.name for trial in optuna.load_study(study_name="s", storage=asked.storage).trials]
    assert states == ["COMPLETE", "FAIL", "COMPLETE"]


def test_a_study_of_another_search_is_refused(tmp_path: Path) -> None:
    run(wanted(tmp_path, trials=1))
    others: dict[str, dict[str, Any]] = {
        "candles": {"files": [by_the_hour("BTC", seed=1)]},
        "objective": {"objective": "pinball"},
        "settings": {"config": replace(CONFIG, confidence=0.8)},
        "space": {"space": {"ridge": Range(1e2, 1e8)}},
        "seed": {"seed": 4},
    }
    for what, changes in others.items():
        with pytest.raises(SettingsError, match=f"its {what} are not"):
            run(replace(wanted(tmp_path, trials=2), **changes))


def test_where_nothing_better_is_found_it_says_that_it_does_not_pay(tmp_path: Path) -> None:
    tuned = run(wanted(tmp_path, trials=1))
    assert tuned.verdict.kind == "the same"
    assert not tuned.verdict.pays
    assert tuned.found.hyperparameters == PLANTED
    assert "Tuning does not pay" in tuned.verdict.sentence


def test_a_trial_that_fails_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = replace(CONFIG, model="lstm", hyperparameters=UNSET)
    asked = wanted(tmp_path, config=endless, space={"l2": Range(1e-6, 1e-2)}, trials=2, storage=None)
    monkeypatch.setattr("stream_lstm.tuning.space.Range.tidy", lambda known, value: float("inf"))
    monkeypatch.setattr("stream_lstm.models.residual.LEAST_WINDOWS", 100)
    with np.errstate(all="ignore"):
        tuned = run(asked)
    assert (tuned.found.trials, tuned.found.failed) == (2, 1)
    assert tuned.verdict.kind == "the same"


def test_ridge_of_har_is_what_it_reads() -> None:
    assert OWN.given.keys() == SPACE.keys()
