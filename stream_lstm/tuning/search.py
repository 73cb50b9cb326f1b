"""What is searched: candles, walk, model, objective and space; and how good hyper-parameters are at it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

import numpy as np

from stream_lstm.candles.files import CandleFile
from stream_lstm.errors import SettingsError
from stream_lstm.evaluation.course import Leg
from stream_lstm.evaluation.laps import Tracks, Walker
from stream_lstm.evaluation.objective import (
    Losses,
    Objective,
    Place,
    coverages_for,
    joined,
    losses_of,
    mean_ratio,
)
from stream_lstm.evaluation.yardstick import Yardstick, yardstick
from stream_lstm.features import FeatureSet
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.horizons import horizons_of
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.tuning.space import Space

LAPS: Final = 5
"""Parts of the period after each of which a trial may be given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the value of a trial is a function of, besides its hyper-parameters."""

    files: Sequence[CandleFile]
    """Of no candle of the hold-out."""
    config: EngineConfig
    objective: Objective
    from_ms: int
    """First close that is published; what is before it trains and calibrates."""
    space: Space

    @property
    def lap_ends(self) -> list[int]:
        """Times, epoch ms, that part the period evenly."""
        last = max(int(file.open_ms[-1]) + file.step_ms - 1 for file in self.files)
        if last <= self.from_ms:
            raise SettingsError("nothing is left to search on: the hold-out begins before --from")
        return [int(end) for end in np.linspace(self.from_ms, last, LAPS + 1)[1:]]

    def known_by(self) -> dict[str, str]:
        """What a study is known by: another value of any of these is another search."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.symbol}:{file.interval}:{len(file.open_ms)}".encode())
            digest.update(np.ascontiguousarray(file.open_ms).tobytes())
            digest.update(np.ascontiguousarray(file.ohlcv).tobytes())
        settings = {name: value for name, value in asdict(self.config).items() if name != "model"}
        return {
            "candles": digest.hexdigest()[:16],
            "features": FeatureSet().fingerprint,
            "model": self.config.model,
            "objective": self.objective,
            "period": f"{self.from_ms}:{LAPS}",
            "settings": hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:16],
            "space": repr(self.space),
        }


class Outcome(NamedTuple):
    """What became of a trial: its value, or why it has none."""

    value: float | None
    """None for one that was given up or has failed."""
    failure: str | None = None


GoesOn = Callable[[int, float | None], bool]
"""Told the value of a trial after a lap, None if that is too little to tell; whether it is to go on."""


class Judge:
    """Says how good hyper-parameters are, several sets at a time."""

    def __init__(self, search: Search, legs: Sequence[Leg]) -> None:
        """`legs` are the course of the search's files."""
        self._search, self._legs = search, legs
        self._measures = measures(search.files, search.config)

    def run(self, tried: Sequence[Hyperparameters], goes_on: GoesOn) -> list[Outcome]:
        """Walk with them abreast; the value is the objective over all that was published until then."""
        search = self._search
        walker = Walker(self._legs, search.config, tried, coverages_for(search.objective))
        outcomes = [Outcome(None) for _ in tried]
        parts: list[dict[Place, list[Losses]]] = [{} for _ in tried]
        for lap in walker.laps(search.from_ms, search.lap_ends):
            for at, tracks in lap.items():
                self._take(tracks, parts[at])
                value = mean_ratio(joined(each) for each in parts[at].values())
                outcomes[at] = Outcome(value, None if value is not None else "too few forecasts to judge")
                if not goes_on(at, value):
                    outcomes[at] = Outcome(None)
                    walker.leave(at)
        failures = {at: Outcome(None, str(failure)) for at, failure in walker.failures.items()}
        return [failures.get(at, outcome) for at, outcome in enumerate(outcomes)]

    def _take(self, tracks: Sequence[Tracks], parts: dict[Place, list[Losses]]) -> None:
        for place, of_file in enumerate(tracks):
            for track in of_file.values():
                key = (place, track.horizon)
                losses = losses_of(track, self._measures[key], self._search.objective)
                parts.setdefault(key, []).append(losses)


def measures(files: Sequence[CandleFile], config: EngineConfig) -> dict[Place, Yardstick]:
    """The unit of every file and horizon: no hyper-parameter changes it."""
    return {
        (place, horizon.name): yardstick(file, horizon.steps, config.confidence)
        for place, file in enumerate(files)
        for horizon in horizons_of(config.horizons, file.step_ms, config.max_horizon_candles)
    }
