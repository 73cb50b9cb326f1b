"""What a fit is a function of: candles of one series, horizons, hyper-parameters, a seed. Picklable."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.errors import TrainingFailed
from stream_lstm.features import Features, FeatureSet, groups
from stream_lstm.models.hyperparameters import UNSET, Hyperparameters

MINIMUM_CANDLES: Final = 100
CANDLES_PER_STEP: Final = 20
"""A horizon of h candles has a head of its own when the history holds 20·h of them."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The history of one series as the engine stored it: N candles, oldest first."""

    series: str
    step_ms: int
    candles: NDArray[np.float32]
    """(N, 5): open, high, low, close as ratios to `reference`, and volume."""
    open_ms: NDArray[np.int64]
    """(N,)"""
    synthetic: NDArray[np.bool_]
    """(N,): candles that filled a gap; never a target."""
    state: NDArray[np.float64]
    """(width,): feature state before the first candle."""
    reference: float
    """Price unit of the ratios, in quote units."""
    horizons: tuple[int, ...]
    """Steps, ascending."""
    seed: int
    hyperparameters: Hyperparameters = UNSET
    seen: Features | None = None
    """What the candles have shown, by whoever has computed it already."""
    features: tuple[str, ...] = groups.ALL
    """Groups of features that the model reads, in order."""
    previous: Mapping[str, NDArray[Any]] | None = None
    """Arrays of the model that answers, where a fit begins from them."""

    def __len__(self) -> int:
        return len(self.candles)

    @property
    def trained_at(self) -> int:
        """Close of the last candle, epoch ms: what a model calls `trainedAt`."""
        return int(self.open_ms[-1]) + self.step_ms - 1

    @property
    def heads(self) -> tuple[int, ...]:
        """The horizons that this history can teach."""
        return tuple(steps for steps in self.horizons if len(self) >= CANDLES_PER_STEP * steps)

    def shown(self) -> Features:
        """What each of the N candles has shown."""
        if self.seen is not None:
            return self.seen
        return FeatureSet().run(self.state, self.candles, self.open_ms, self.step_ms)

    def check(self) -> None:
        """Raise `TrainingFailed` if nothing can be learned from so little, or from an absurd candle."""
        if len(self) < MINIMUM_CANDLES:
            raise TrainingFailed(
                f"{self.series}: {len(self)} candles, a model needs {MINIMUM_CANDLES}; wait for more"
            )
        if not self.heads:
            needed = CANDLES_PER_STEP * self.horizons[0]
            raise TrainingFailed(
                f"{self.series}: {len(self)} candles, its shortest horizon of {self.horizons[0]} needs "
                f"{needed}; wait for more, or add a shorter horizon to `horizons`"
            )
        self._check_candles()

    def _check_candles(self) -> None:
        absurd = ~np.isfinite(self.candles).all(axis=1)
        absurd |= (self.candles[:, :4] <= 0).any(axis=1) | (self.candles[:, 4] < 0)
        if absurd.any():
            at = int(absurd.argmax())
            raise TrainingFailed(
                f"{self.series}: candle {at}, opened at {self.open_ms[at]}, is {self.candles[at]}: prices "
                "must be finite and positive, volume finite and not negative; correct the candle"
            )
