"""`har`: one ridge per horizon from 37 causal features to the log range of the next h candles.

After Corsi's (2009, J. of Financial Econometrics 7) heterogeneous autoregression, on ranges instead of
squared returns. What it finds is also the frozen linear part of `lstm`.
Axes: N candles, P skip features, J heads.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.errors import TrainingFailed
from stream_lstm.features import Features, FeatureSet
from stream_lstm.features.feature_set import SIGNED
from stream_lstm.features.groups import kept
from stream_lstm.models.hyperparameters import Hyperparameters, chosen
from stream_lstm.models.level import log_scale
from stream_lstm.models.live import HeadSteps, ModelType, grown, one_by_one
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import WARM_SCORES, Arrays, Config, Model, fitted
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]

NAME: Final = "har"
STRENGTH: Final = 150_000.0
"""Ridge penalty λ = STRENGTH / rows, on standardised features, unless `hyperparameters.ridge` is set."""
CUTS: Final = (0.50, 0.62, 0.75, 0.87)
"""Parts of the history at which the warm-start scores refit."""
WARM_CANDLES: Final = 1_000
DRIFT_PENALTY: Final = 5_000.0
"""Ridge penalty of the drift, on features that are about one."""
OWN: Final = Hyperparameters(ridge=STRENGTH)

_LEAST_VARIATION: Final = 1e-9
_MOST_MOVED: Final = 6.0
_SIGNED: Final = list(SIGNED)


class Ridge(NamedTuple):
    """A fitted linear map of raw features: f = skip · weights + bias."""

    weights: Floats  # (P, J)
    bias: Floats  # (J,)


class LinearPart(NamedTuple):
    """Everything that the ridge gives to a model."""

    heads: tuple[int, ...]
    seen: Features
    targets: Floats  # (N, J); NaN where unknown
    ridge: Ridge
    arrays: Arrays


def fit(data: TrainingSet) -> Model:
    """Fit one series in closed form."""
    part = linear_part(data)
    return fitted(NAME, data, part.heads, part.arrays, described(data.hyperparameters))


def described(told: Hyperparameters) -> Config:
    """The configuration of a model."""
    return {"ridge": chosen(told.ridge, STRENGTH)}


def linear_part(data: TrainingSet) -> LinearPart:
    """Features, targets, ridge and warm-start scores of one series; `TrainingFailed` if too young."""
    data.check()
    seen = kept(data.shown(), data.features)
    wanted = targets(seen, data.synthetic, data.heads)
    strength = chosen(data.hyperparameters.ridge, STRENGTH)
    ridge = fit_ridge(data.series, seen.skip, wanted, strength)
    arrays: Arrays = {"skip_weights": ridge.weights, "skip_bias": ridge.bias}
    arrays["drift_weights"] = fit_drift(data, seen)
    if len(data) >= WARM_CANDLES:
        arrays |= warm_scores(data, seen, wanted)
    return LinearPart(data.heads, seen, wanted, ridge, arrays)


def targets(seen: Features, synthetic: NDArray[np.bool_], heads: Sequence[int]) -> Floats:
    """½ ln(mean range variance of the next h candles) − base: (N, J).

    The mean is over the real candles among the h; NaN where the h candles are not over yet, where more
    than half of them are synthetic, or where row t itself is.
    """
    known = np.full((len(synthetic), len(heads)), np.nan)
    ranges = np.concatenate([[0.0], np.cumsum(np.where(synthetic, 0.0, seen.range_variance))])
    real = np.concatenate([[0], np.cumsum(~synthetic)])
    for column, steps in zip(known.T, heads, strict=True):
        count = real[1 + steps :] - real[1:-steps]
        mean = (ranges[1 + steps :] - ranges[1:-steps]) / np.maximum(count, 1)
        level = 0.5 * np.log(np.maximum(mean, 1e-10)) - seen.log_base[:-steps]
        column[:-steps] = np.where((2 * count >= steps) & ~synthetic[:-steps], level, np.nan)
    return known


def fit_ridge(series: str, skip: Floats, wanted: Floats, strength: float = STRENGTH) -> Ridge:
    """One ridge per column of `wanted` (n, J) on its known rows: Hoerl & Kennard (1970, Technometrics 12).

    Features are standardised over those rows; one without variance gets an infinite scale, so weight 0.
    """
    weights = np.zeros((skip.shape[1], wanted.shape[1]))
    bias = np.zeros(wanted.shape[1])
    for head, target in enumerate(wanted.T):
        rows = np.isfinite(target)
        if not rows.any():
            raise TrainingFailed(f"{series}: no real candle to learn from; the history is gap fills only")
        x, y = skip[rows], target[rows]
        mean, deviation = x.mean(axis=0), x.std(axis=0)
        scale = np.where(deviation > _LEAST_VARIATION, deviation, np.inf)
        z = (x - mean) / scale
        level = y.mean()
        penalty = strength / len(y) * np.eye(len(mean))
        weights[:, head] = np.linalg.solve(z.T @ z + penalty, z.T @ (y - level)) / scale
        bias[head] = level - mean @ weights[:, head]
    return Ridge(weights, bias)


def fit_drift(data: TrainingSet, seen: Features) -> Floats:
    """The ridge from signed features to the return of the next h candles, over exp(base)·√h: (3, J).

    Without a bias: what has no direction says none.
    """
    signed, log_close = seen.skip[:, _SIGNED], np.log(data.candles[:, 3].astype(np.float64))
    weights = np.empty((len(_SIGNED), len(data.heads)))
    for head, steps in enumerate(data.heads):
        origins, ends = _real_targets(data, np.arange(len(data)), steps)
        moved = (log_close[ends] - log_close[origins]) / (np.exp(seen.log_base[origins]) * steps**0.5)
        x, y = signed[origins], np.clip(moved, -_MOST_MOVED, _MOST_MOVED)
        weights[:, head] = np.linalg.solve(x.T @ x + DRIFT_PENALTY * np.eye(x.shape[1]), x.T @ y)
    return weights


def warm_scores(data: TrainingSet, seen: Features, wanted: Floats) -> Arrays:
    """Out-of-sample |ln(close[t+h] / close[t])| / scale of each head, in time order, float32 (n,).

    At each cut the ridge is refitted on what was known by then, and scores the candles up to the next.
    Targets are those of live scores: h candles later by the clock, none in a closed market.
    """
    cuts = [int(cut * len(data)) for cut in (*CUTS, 1.0)]
    log_close = np.log(data.candles[:, 3].astype(np.float64))
    strength = chosen(data.hyperparameters.ridge, STRENGTH)
    scores: dict[int, list[Floats]] = {head: [] for head in range(len(data.heads))}
    for begin, end in pairwise(cuts):
        known = _known_at(begin, wanted, data.heads)
        ridge = fit_ridge(data.series, seen.skip[:begin], known, strength)
        for head, steps in enumerate(data.heads):
            origins, ends = _real_targets(data, np.arange(begin, end), steps)
            forecast = seen.skip[origins] @ ridge.weights[:, head] + ridge.bias[head]
            width = log_scale(forecast, seen.log_base[origins], seen.log_slow[origins], np.array(steps))
            scores[head].append(np.abs(log_close[ends] - log_close[origins]) / np.exp(width))
    return {
        f"{WARM_SCORES}{head}": np.concatenate(parts).astype(np.float32) for head, parts in scores.items()
    }


def _real_targets(data: TrainingSet, rows: Index, steps: int) -> tuple[Index, Index]:
    """Those of `rows` whose candle h later by the clock is here, neither of them synthetic; and its row."""
    ends = rows_after(data.open_ms, rows, steps * data.step_ms)
    rows, ends = rows[ends >= 0], ends[ends >= 0]
    real = ~data.synthetic[rows] & ~data.synthetic[ends]
    return rows[real], ends[real]


def rows_after(open_ms: NDArray[np.int64], rows: Index, later_ms: int) -> Index:
    """The rows that open `later_ms` after `rows`, −1 where there is none; shape of `rows`."""
    wanted = open_ms[rows] + later_ms
    found: Index = np.minimum(np.searchsorted(open_ms, wanted), len(open_ms) - 1)
    return np.where(open_ms[found] == wanted, found, -1)


def _known_at(candle: int, wanted: Floats, heads: Sequence[int]) -> Floats:
    """The targets of the first `candle` rows that had been over by then."""
    known = wanted[:candle].copy()
    for column, steps in zip(known.T, heads, strict=True):
        column[candle - steps :] = np.nan
    return known


class LiveHar:
    """Live models with J heads."""

    def __init__(self, heads: int) -> None:
        self.steps = HeadSteps(heads)
        self._weights = np.zeros((0, FeatureSet.P, heads))
        self._bias = np.zeros((0, heads))
        self._drift = np.zeros((0, len(_SIGNED), heads))

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self.steps.grow(slots)
        self._weights, self._bias = grown(self._weights, slots), grown(self._bias, slots)
        self._drift = grown(self._drift, slots)

    def put(self, slot: int, model: Model) -> None:
        """Place a model."""
        self.steps.put(slot, model)
        self._weights[slot], self._bias[slot] = model.arrays["skip_weights"], model.arrays["skip_bias"]
        self._drift[slot] = model.arrays["drift_weights"]

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """Location 0 and a drift to try, the scale by the level rule."""
        return self.ranged(slots, view, self.linear(slots, view))

    def linear(self, slots: Index, view: MarketView) -> Floats:
        """The ridge's log ratio to the base for each head: (n, J)."""
        rows: Floats = (view.skip[:, None, :] @ self._weights[slots])[:, 0] + self._bias[slots]
        return rows

    def ranged(self, slots: Index, view: MarketView, forecast: Floats) -> BankForecast:
        """From forecasts per head (n, J) to scales per horizon: a longer one borrows the longest head's."""
        owner, own = self.steps.owner(slots, view.steps)
        each = np.take_along_axis(forecast, owner, axis=1)
        scale = log_scale(each, view.log_base[:, None], view.log_slow[:, None], view.steps)
        drift = self._drifts(slots, view, owner, own)
        return BankForecast(np.zeros(scale.shape), drift, scale, own)

    def _drifts(self, slots: Index, view: MarketView, owner: Index, own: Index) -> Floats:
        """The drift of every horizon with a head of its own, 0 beyond: (n, K)."""
        signed = np.ascontiguousarray(view.skip[:, _SIGNED])  # else one row goes to BLAS, and several do not
        each = (signed[:, None, :] @ self._drift[slots])[:, 0]
        unit = np.exp(view.log_base)[:, None] * np.sqrt(view.steps)
        reached = np.arange(view.steps.shape[1]) < own[:, None]
        drift: Floats = np.take_along_axis(each, owner, axis=1) * unit * reached
        return drift


TYPE: Final = ModelType(NAME, one_by_one(fit), lambda model: LiveHar(len(model.heads)), OWN)
