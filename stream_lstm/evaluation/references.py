"""Forecasters that nobody runs live: constant volatility and GARCH, a warm start and a pooled ridge.

Models are measured beside them. They offer what a model type offers, so that the same engine retrains, asks
and calibrates them.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_lstm.errors import SettingsError, TrainingFailed
from stream_lstm.evaluation import pooling, warm_start
from stream_lstm.models.live import ModelType, grown, one_by_one
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Model, fitted
from stream_lstm.models.registry import MODEL_TYPES, model_type
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]

_SMALLEST: Final = 1e-10
_LONGEST_MEMORY: Final = 0.9999


def forecaster(name: str) -> ModelType:
    """The model type or reference of that name; `SettingsError` if there is none."""
    if name in REFERENCES:
        return REFERENCES[name]
    if name not in MODEL_TYPES:
        raise SettingsError(f"model {name!r} is none: choose from {', '.join([*MODEL_TYPES, *REFERENCES])}")
    return model_type(name)


def log_returns(data: TrainingSet) -> Floats:
    """Log returns between the real candles of a history: (n,)."""
    closes = data.candles[~data.synthetic, 3].astype(np.float64)
    return np.diff(np.log(closes))


def fit_constant(data: TrainingSet) -> Model:
    """Root mean square of the log returns of the whole history."""
    data.check()
    deviation = np.sqrt(np.mean(log_returns(data) ** 2))
    arrays = {"state": np.log(np.maximum(deviation, _SMALLEST))[None]}
    return fitted("constant", data, data.horizons, arrays, {})


def fit_garch(data: TrainingSet) -> Model:
    """GARCH(1,1) with Student-t errors (Bollerslev 1987, Rev. of Economics and Statistics 69), by `arch`."""
    data.check()
    returns = log_returns(data)
    deviation = float(returns.std())
    if not deviation > 0:
        raise TrainingFailed(f"{data.series}: its closes are all the same: no volatility to fit")
    omega, alpha, beta = _garch_parameters(returns / deviation)
    omega *= deviation**2
    variance = float(np.mean(returns**2))
    for square in (returns**2).tolist():
        variance = omega + alpha * square + beta * variance
    arrays = {"state": np.array([omega, alpha, beta, variance])}
    return fitted("garch", data, data.horizons, arrays, {})


def _garch_parameters(returns: Floats) -> tuple[float, float, float]:
    """ω, α, β of returns with variance one."""
    try:
        from arch import arch_model
    except ImportError:
        raise SettingsError(
            "model 'garch' needs the package arch: pip install 'stream-lstm[references]'"
        ) from None
    model = arch_model(returns, mean="Zero", vol="GARCH", p=1, q=1, dist="t", rescale=False)
    found = model.fit(disp="off", show_warning=False).params
    omega, alpha, beta = (float(found[name]) for name in ("omega", "alpha[1]", "beta[1]"))
    return omega, alpha, min(beta, _LONGEST_MEMORY - alpha)


class LiveConstant:
    """Live models that say one volatility, until the next fit."""

    def __init__(self) -> None:
        self._log_sigma = np.zeros((0, 1))

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._log_sigma = grown(self._log_sigma, slots)

    def put(self, slot: int, model: Model) -> None:
        """Place a model."""
        self._log_sigma[slot] = model.arrays["state"]

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """Location 0, scale σ·√h."""
        return _around_the_last_close(self._log_sigma[slots] + 0.5 * np.log(np.maximum(view.steps, 1)), view)


class LiveGarch:
    """Live models with the variance that each expects of its next candle.

    It moves on with every answer: so it must be asked once for every candle, as a backtest does.
    """

    def __init__(self) -> None:
        self._state = np.zeros((0, 4))  # ω, α, β, variance

    def grow(self, slots: int) -> None:
        """Make room for `slots` models."""
        self._state = grown(self._state, slots)

    def put(self, slot: int, model: Model) -> None:
        """Place a model."""
        self._state[slot] = model.arrays["state"]

    def forecast(self, slots: Index, view: MarketView) -> BankForecast:
        """Location 0, scale from the sum of the variances expected of the next h candles."""
        omega, alpha, beta, variance = self._state[slots].T
        returns = np.log(view.closes[:, -1] / view.closes[:, -2])
        self._state[slots, 3] = variance = omega + alpha * returns**2 + beta * variance
        memory = np.clip(alpha + beta, 0, _LONGEST_MEMORY)[:, None]
        level = omega[:, None] / (1 - memory)
        total = level * view.steps + (variance[:, None] - level) * (1 - memory**view.steps) / (1 - memory)
        return _around_the_last_close(0.5 * np.log(np.maximum(total, _SMALLEST**2)), view)


def _around_the_last_close(log_scale: Floats, view: MarketView) -> BankForecast:
    """The random walk with a scale at every horizon."""
    return BankForecast.around_last_close(log_scale, (view.steps > 0).sum(axis=1))


REFERENCES: Final = {
    each.name: each
    for each in (
        warm_start.TYPE,
        pooling.TYPE,
        ModelType("constant", one_by_one(fit_constant), lambda model: LiveConstant()),
        ModelType("garch", one_by_one(fit_garch), lambda model: LiveGarch()),
    )
}
