"""A fitted model as it is saved, announced and installed: arrays and metadata, immutable."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from stream_lstm.errors import ModelMismatch, TrainingFailed
from stream_lstm.features import groups
from stream_lstm.models.training_set import TrainingSet

Arrays = dict[str, NDArray[Any]]
Config = dict[str, str | int | float]

VERSION: Final = "1.0.0"
WARM_SCORES: Final = "warm_scores_"
_NO_SCORES: Final = np.zeros(0, np.float32)


class Described(TypedDict):
    """The metadata under the names of the original service."""

    symbol: str
    modelType: str
    version: str
    trainedAt: int
    accuracy: float | None
    trainingDuration: int
    dataPoints: int
    config: Config


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What is known of a model beside its numbers."""

    symbol: str
    model_type: str
    trained_at: int
    """Stream time: close of the last training candle, epoch ms."""
    data_points: int
    """Candles that it was trained on."""
    config: Config
    version: str = VERSION
    accuracy: float | None = None
    """1 − MAPE over matured forecasts; None until there are some."""
    training_duration: int = 0
    """Milliseconds, measured by whoever ran the fit."""
    features: str = groups.fingerprint(groups.ALL)
    """Fingerprint of the features that it reads."""

    def described(self) -> Described:
        """The metadata as the original service names them."""
        return {
            "symbol": self.symbol,
            "modelType": self.model_type,
            "version": self.version,
            "trainedAt": self.trained_at,
            "accuracy": self.accuracy,
            "trainingDuration": self.training_duration,
            "dataPoints": self.data_points,
            "config": self.config,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """One model of one series."""

    model_type: str
    series: str
    heads: tuple[int, ...]
    """Horizons in candles that have a head of their own, ascending."""
    arrays: Arrays
    metadata: ModelMetadata

    @property
    def model_id(self) -> str:
        """Short hash of series, `trainedAt` and configuration: 12 hexadecimal digits."""
        named = [self.series, self.metadata.trained_at, self.metadata.config]
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the arrays that answer, by name: models of equal shapes can be asked side by side."""
        return tuple(array.shape for _, array in sorted(self.without_warm_scores().arrays.items()))

    def warm_scores(self, head: int) -> NDArray[np.float32]:
        """Out-of-sample |error| / scale of a head over its history, oldest first; (0,) if there are none."""
        return self.arrays.get(f"{WARM_SCORES}{head}", _NO_SCORES)

    def without_warm_scores(self) -> "Model":
        """The same model without what only its installation needs: what a bank keeps."""
        kept = {name: array for name, array in self.arrays.items() if not name.startswith(WARM_SCORES)}
        return replace(self, arrays=kept)

    def check_features(self, names: tuple[str, ...]) -> None:
        """Raise `ModelMismatch` unless it reads exactly these groups of features."""
        expected = groups.fingerprint(names)
        if self.metadata.features != expected:
            raise ModelMismatch(
                f"model {self.model_id} of {self.series} reads the features {self.metadata.features}, and "
                f"{expected} are set: retrain the series, or set `features` as it was"
            )

    def trained_in(self, milliseconds: int) -> "Model":
        """The same model with the duration of its fit."""
        return replace(self, metadata=replace(self.metadata, training_duration=milliseconds))


def fitted(
    model_type: str, data: TrainingSet, heads: tuple[int, ...], arrays: Arrays, config: Config
) -> Model:
    """The result of a fit; `TrainingFailed` if any number of it is not finite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise TrainingFailed(
                f"{data.series}: the {model_type} fit on {len(data)} candles gave a number in {name!r} that "
                "is not finite; look at the candles for absurd prices or volumes"
            )
    whole = {"modelType": model_type, **config, "heads": ",".join(map(str, heads)), "seed": data.seed}
    if data.features != groups.ALL:
        whole["features"] = ",".join(data.features)
    metadata = ModelMetadata(
        symbol=data.series,
        model_type=model_type,
        trained_at=data.trained_at,
        data_points=len(data),
        config=whole,
        features=groups.fingerprint(data.features),
    )
    return Model(model_type, data.series, heads, arrays, metadata)
