"""What shapes the engine, as one frozen value."""

from dataclasses import dataclass
from typing import Literal

from stream_lstm.features.groups import ALL
from stream_lstm.models.hyperparameters import UNSET, Hyperparameters

Detector = Literal["page_hinkley", "adwin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftConfig:
    """When errors count as others than they were."""

    detectors: tuple[Detector, ...] = ("page_hinkley", "adwin")
    """Those that look, and speak."""
    page_hinkley_threshold: float = 3.5
    """λ: how far a sum must have moved from its extreme."""
    page_hinkley_delta: float = 0.1
    """δ: the change per value that is let pass."""
    adwin_delta: float = 0.3
    """Chance of a false alarm of independent values at a look."""
    cooldown: int = 100
    """Candles after a drift in which a series says no other."""
    retrain: bool = False
    """Whether a drift makes a training due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemotionConfig:
    """When a model counts as worse than the naive forecast."""

    on: bool = True
    """Whether the naive forecast answers then."""
    half_life: float = 500.0
    """Matured predictions after which one counts half."""
    margin: float = 0.1
    """By which fraction its interval score must be worse; and by more than chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Settings of the engine. Two engines with equal settings, candles and facts say the same."""

    horizons: tuple[str, ...] = ("1h", "4h", "1d", "7d")
    """Published horizons by name."""
    max_horizon_candles: int = 2_016
    """Horizons longer than this many candles are left out for a series."""
    confidence: float = 0.95
    """Coverage asked of the published interval."""
    model: str = "lstm"
    """Model type that is trained."""
    features: tuple[str, ...] = ALL
    """Groups of features that it reads, in the order of `features.groups`."""
    history_candles: int = 8_760
    """Closed candles kept per series, up to one block more."""
    warm_up: int = 100
    """Closed candles before the first prediction; gap fills do not count."""
    max_gap: int = 5
    """Missing candles that are filled flat; a longer gap restarts the series."""
    gap_policy: Literal["auto", "restart", "flat", "calendar"] = "auto"
    """`auto` takes a gap at a weekend, or one that recurs, for a closure of the market, which is one step,
    and `restart` begins anew after every long gap. `flat` fills every gap up to the history: for markets that
    print no bar without a trade. `calendar` takes every gap up to 14 days for a closure."""
    expiry_ms: int = 86_400_000
    """Age in stream time at which a model is replaced."""
    expiry_jitter: float = 0.05
    """A model lives up to this fraction longer, so that thousands do not expire at once."""
    neutral_band: float = 0.001
    """Half-width of the neutral direction, as a fraction of the last close."""
    max_path_points: int = 24
    """Points of a path at most."""
    seed: int = 0
    """Of every training, together with the series' name."""
    drift: DriftConfig = DriftConfig()
    demotion: DemotionConfig = DemotionConfig()
    hyperparameters: Hyperparameters = UNSET
    """Of the models that are trained, where they are not to be the model's own."""
