"""An Optuna study that can be gone on with: it knows what it searches, and tries the same if it is stopped.

The seed of each round of trials is a function of the user's and of how many trials have ended, so a study
that was interrupted tries what it would have tried.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from stream_lstm.errors import SettingsError, TrainingFailed
from stream_lstm.evaluation.references import forecaster
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.tuning.search import LAPS, Outcome, Search
from stream_lstm.tuning.trials import Crew, uninterrupted

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial, TrialState

_KNOWN_BY: Final = "stream-lstm"
_FAILURE: Final = "failure"
_RANDOM_TRIALS: Final = 8
"""Before the model of what is good begins; the first is what there was before."""
_BEFORE_PRUNING: Final = 4
"""Trials that have run to their end before one is given up."""
_LAPS_AT_LEAST: Final = 2

Told = Callable[[float, int, float | None], None]
"""Told how many trials are done, those under way in part, of how many, and the best value so far."""


class Found(NamedTuple):
    """What a study has found."""

    hyperparameters: Hyperparameters
    value: float
    before: float | None
    """The value of what there was before."""
    trials: int
    pruned: int
    failed: int


class Study:
    """The study of a search."""

    def __init__(self, search: Search, *, storage: str | None, name: str, seed: int) -> None:
        """Make the study, or go on with the one of that name.

        Raises `SettingsError` if it is another search's.
        """
        self._search, self._seed = search, seed
        self._base = search.config.hyperparameters
        self._study = _open(storage, name)
        self._claim(name)
        self._give_up()  # what a command that was killed has left

    def _claim(self, name: str) -> None:
        known_by = self._search.known_by() | {"seed": str(self._seed)}
        told = self._study.user_attrs.get(_KNOWN_BY)
        if told is None and not self._study.get_trials(deepcopy=False):
            self._study.set_user_attr(_KNOWN_BY, known_by)
        elif told != known_by:
            other = [each for each, value in known_by.items() if (told or {}).get(each) != value]
            raise SettingsError(
                f"study {name!r} is of another search: its {', '.join(other)} are not those of this command; "
                "give another --study, or the options that it was begun with"
            )

    @property
    def ended(self) -> int:
        """How many trials have."""
        return len(self._ended())

    def run(self, crew: Crew, trials: int, told: Told) -> None:
        """Go on until `trials` have ended, as many at a time as the crew has room for.

        What is asked in a round rests on the rounds before alone, so equal commands try the same. A round
        that is interrupted counts for nothing.
        """
        while (ended := self.ended) < trials:
            best = self._best()
            told(ended, trials, best)
            self._study.sampler = _sampler(self._seed, ended)
            if ended == 0 and not self._study.get_trials(deepcopy=False, states=[_states().WAITING]):
                self._study.enqueue_trial(self._known())
            asked = [self._study.ask() for _ in range(min(crew.room, trials - ended))]

            def lap(laps: int, ended: int = ended, best: float | None = best) -> None:
                told(ended + laps / LAPS, trials, best)

            try:
                self._round(crew, asked, lap)
            except (KeyboardInterrupt, TrainingFailed):
                self._give_up()
                raise
        told(trials, trials, self._best())

    def _give_up(self) -> None:
        """Of trials that nobody runs any more: as if they had never been asked for."""
        for left in self._study.get_trials(deepcopy=False, states=[_states().RUNNING]):
            self._study.tell(left.number, state=_states().FAIL)

    def _round(self, crew: Crew, asked: Sequence["Trial"], told: Callable[[int], None]) -> None:
        tried = [self._drawn(trial) for trial in asked]
        laps = [0] * len(asked)

        def goes_on(at: int, value: float | None) -> bool:
            laps[at] += 1
            told(sum(laps))
            if value is None or laps[at] == LAPS:
                return True
            asked[at].report(value, laps[at])
            return not asked[at].should_prune()

        outcomes = crew.run(tried, goes_on)
        with uninterrupted():
            for trial, outcome in zip(asked, outcomes, strict=True):
                self._tell(trial, outcome)

    def _tell(self, trial: "Trial", outcome: Outcome) -> None:
        if outcome.value is not None:
            self._study.tell(trial, outcome.value)
        elif outcome.failure is None:
            self._study.tell(trial, state=_states().PRUNED)
        else:
            trial.set_user_attr(_FAILURE, outcome.failure)
            self._study.tell(trial, state=_states().FAIL)

    def found(self) -> Found:
        """The best of all trials. Raises `SettingsError` if none has come to its end."""
        ended, states = self._ended(), _states()
        complete = [trial for trial in ended if trial.state == states.COMPLETE]
        if not complete:
            why = next((trial.user_attrs.get(_FAILURE) for trial in ended), "there was none")
            raise SettingsError(f"no trial has come to its end: {why}")
        best = min(complete, key=lambda trial: trial.value or 0.0)
        before = [trial.value for trial in complete if trial.params == self._known()]
        assert best.value is not None
        return Found(
            hyperparameters=self._with(best.params),
            value=best.value,
            before=before[0] if before else None,
            trials=len(ended),
            pruned=sum(trial.state == states.PRUNED for trial in ended),
            failed=sum(trial.state == states.FAIL for trial in ended),
        )

    def _ended(self) -> list["FrozenTrial"]:
        states = _states()
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state in (states.COMPLETE, states.PRUNED) or _FAILURE in trial.user_attrs
        ]

    def _best(self) -> float | None:
        complete = [trial.value for trial in self._ended() if trial.state == _states().COMPLETE]
        return min((value for value in complete if value is not None), default=None)

    def _known(self) -> dict[str, float]:
        """What there was before, as a trial has it."""
        now = self._base.over(forecaster(self._search.config.model).own).given
        return {name: max(now[name], known.low) for name, known in self._search.space.items()}

    def _drawn(self, trial: "Trial") -> Hyperparameters:
        for name, known in self._search.space.items():
            known.draw(trial, name)
        return self._with(trial.params)

    def _with(self, params: dict[str, float]) -> Hyperparameters:
        if params == self._known():
            return self._base
        tried = {name: known.tidy(params[name]) for name, known in self._search.space.items()}
        return replace(self._base, **tried)  # type: ignore[arg-type]  # of mixed types, each under its own name


def _open(storage: str | None, name: str) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_PRUNING, n_warmup_steps=_LAPS_AT_LEAST)
    return optuna.create_study(
        storage=storage, study_name=name, load_if_exists=True, direction="minimize", pruner=pruner
    )


@contextmanager
def stored(storage: str | None) -> Iterator[None]:
    """What goes wrong with Optuna or its storage is said in a line: a `SettingsError`."""
    try:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise SettingsError("tune needs the package optuna: pip install 'stream-lstm[tune]'") from None
    try:
        yield
    except (optuna.exceptions.OptunaError, SQLAlchemyError) as error:
        why = str(error.__cause__ or error).strip().splitlines()[0]
        raise SettingsError(f"--storage {storage}: {why}; a file is sqlite:///tune.db") from None


def _sampler(seed: int, ended: int) -> "BaseSampler":
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    of_round = int(np.random.SeedSequence((seed, ended)).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # of constant_liar, before Optuna 5
        return TPESampler(seed=of_round, n_startup_trials=_RANDOM_TRIALS, constant_liar=True)


def _states() -> "type[TrialState]":
    from optuna.trial import TrialState

    return TrialState
