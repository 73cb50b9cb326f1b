"""Constant volatility and GARCH, as the engine asks for them."""

from dataclasses import replace

import numpy as np
import pytest

from stream_lstm.errors import SettingsError, TrainingFailed
from stream_lstm.evaluation.references import REFERENCES, fit_constant, fit_garch, forecaster
from stream_lstm.features import FeatureSet
from stream_lstm.models.market_view import MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.training_set import TrainingSet

HOUR = 3_600_000
STEPS = np.array([[1, 4, 24]])


def history(closes: np.ndarray) -> TrainingSet:
    candles = np.stack([closes, closes, closes, closes, np.ones(len(closes))], axis=1)
    return TrainingSet(
        series="file:A:1h",
        step_ms=HOUR,
        candles=candles.astype(np.float32),
        open_ms=HOUR * np.arange(len(closes), dtype=np.int64),
        synthetic=np.zeros(len(closes), np.bool_),
        state=FeatureSet().start(),
        reference=1.0,
        horizons=(1, 4, 24),
        seed=1,
    )


def closes_of(returns: np.ndarray) -> np.ndarray:
    return np.exp(np.concatenate([[0.0], np.cumsum(returns)]))


def view(last_return: float) -> MarketView:
    closes = np.ones((1, 20))
    closes[0, -1] = np.exp(last_return)
    nothing = np.zeros(1)
    return MarketView(
        skip=np.zeros((1, FeatureSet.P)),
        window=np.zeros((1, 20, FeatureSet.F)),
        closes=closes,
        log_base=nothing,
        log_slow=nothing,
        log_ewma=nothing,
        steps=STEPS,
    )


def scales(model: Model, *last_returns: float) -> list[np.ndarray]:
    """Scales at 1, 4 and 24 candles after each of the returns."""
    live = REFERENCES[model.model_type].live(model)
    live.grow(1)
    live.put(0, model)
    return [np.exp(live.forecast(np.array([0]), view(last)).log_scale[0]) for last in last_returns]


def test_constant_volatility_is_the_same_whatever_came_last() -> None:
    returns = np.random.default_rng(1).normal(0, 0.02, 5_000)
    calm, shaken = scales(fit_constant(history(closes_of(returns))), 0.0, 0.3)
    assert calm == pytest.approx(0.02 * np.sqrt([1, 4, 24]), rel=0.03)
    assert np.array_equal(calm, shaken)


def garch_returns(count: int, omega: float, alpha: float, beta: float) -> np.ndarray:
    rng, variance, returns = np.random.default_rng(2), omega / (1 - alpha - beta), np.empty(count)
    for at in range(count):
        returns[at] = np.sqrt(variance) * rng.standard_t(8) * np.sqrt(6 / 8)
        variance = omega + alpha * returns[at] ** 2 + beta * variance
    return returns


@pytest.mark.slow
def test_garch_finds_the_process_that_made_the_returns() -> None:
    pytest.importorskip("arch")
    model = fit_garch(history(closes_of(garch_returns(8_000, 4e-6, 0.1, 0.86))))
    omega, alpha, beta, _ = model.arrays["state"]
    assert alpha == pytest.approx(0.1, abs=0.03)
    assert beta == pytest.approx(0.86, abs=0.05)
    assert omega / (1 - alpha - beta) == pytest.approx(1e-4, rel=0.4)


def test_garch_widens_after_a_shock_and_comes_back() -> None:
    pytest.importorskip("arch")
    model = fit_garch(history(closes_of(garch_returns(8_000, 4e-6, 0.1, 0.86))))
    before, after, *_, later = scales(model, 0.0, 0.08, *[0.0] * 60)
    assert (after > 1.5 * before).all()
    assert (later < after).all()
    # Variances of the candles ahead, added one by one.
    omega, alpha, beta, variance = model.arrays["state"]
    variance = omega + beta * variance
    ahead = [variance]
    for _ in range(23):
        ahead.append(omega + (alpha + beta) * ahead[-1])
    assert before == pytest.approx(np.sqrt([ahead[0], sum(ahead[:4]), sum(ahead)]))


def test_a_series_that_does_not_move_has_no_garch() -> None:
    with pytest.raises(TrainingFailed, match="all the same"):
        fit_garch(history(np.ones(500)))


def test_gap_fills_are_no_returns() -> None:
    data = history(closes_of(np.random.default_rng(1).normal(0, 0.02, 999)))
    filled = np.insert(data.candles, 500, [data.candles[499]] * 400, axis=0)
    synthetic = np.insert(data.synthetic, 500, [True] * 400)
    longer = replace(data, candles=filled, synthetic=synthetic, open_ms=HOUR * np.arange(1_400))
    assert scales(fit_constant(longer), 0.0)[0] == pytest.approx(scales(fit_constant(data), 0.0)[0])


def test_an_unknown_forecaster_is_refused_with_the_names_of_all() -> None:
    assert forecaster("har").name == "har"
    with pytest.raises(SettingsError, match=r"'arima' is none: choose from lstm, .*har, .*garch"):
        forecaster("arima")
