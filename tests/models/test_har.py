"""The ridge against a plain solve, its targets and warm-start scores against plain loops, the level rule."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_lstm.errors import TrainingFailed
from stream_lstm.features import FeatureSet
from stream_lstm.models import har
from stream_lstm.models.level import level_exponent, log_scale
from stream_lstm.models.market_view import MarketView
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]


def least_squares(x: Floats, y: Floats, penalty: float) -> tuple[Floats, float]:
    """min Σ(y − xw − b)² + penalty·Σ(w·std x)² as one least-squares problem of raw columns."""
    rows = np.vstack(
        [
            np.hstack([x, np.ones((len(x), 1))]),
            np.hstack([np.sqrt(penalty) * np.diag(x.std(axis=0)), np.zeros((x.shape[1], 1))]),
        ]
    )
    solution = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(x.shape[1])]), rcond=None)[0]
    return solution[:-1], float(solution[-1])


def test_the_ridge_solves_what_it_says() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 6)) * [1, 10, 0.1, 1, 3, 1] + [0, 5, 1, -2, 0, 100]
    y = np.stack([x @ rng.standard_normal(6) + rng.standard_normal(400) for _ in range(2)], axis=1)
    ridge = har.fit_ridge("A", x, y)
    for head in range(2):
        weights, bias = least_squares(x, y[:, head], har.STRENGTH / 400)
        np.testing.assert_allclose(ridge.weights[:, head], weights, rtol=1e-9)
        assert ridge.bias[head] == pytest.approx(bias, rel=1e-9)


def test_each_head_is_fitted_on_the_rows_that_it_knows() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((300, 4)), rng.standard_normal((300, 2))
    y[200:, 1] = np.nan
    ridge = har.fit_ridge("A", x, y)
    weights, bias = least_squares(x[:200], y[:200, 1], har.STRENGTH / 200)
    np.testing.assert_allclose(ridge.weights[:, 1], weights, rtol=1e-9)
    assert ridge.bias[1] == pytest.approx(bias, rel=1e-9)


def test_a_feature_without_variance_has_no_weight() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((300, 3))
    x[:, 1] = 7.0
    ridge = har.fit_ridge("A", x, rng.standard_normal((300, 1)))
    assert ridge.weights[1, 0] == 0
    assert ridge.weights[[0, 2], 0].all()


def test_nothing_known_is_no_fit() -> None:
    with pytest.raises(TrainingFailed, match="gap fills only"):
        har.fit_ridge("A", np.ones((5, 2)), np.full((5, 1), np.nan))


def test_a_target_is_the_log_range_of_the_real_candles_ahead(
    training_set: Callable[..., TrainingSet],
) -> None:
    synthetic = np.random.default_rng(3).random(300) < 0.3
    data = training_set("A", 300, synthetic=synthetic)
    seen = FeatureSet().run(data.state, data.candles, data.open_ms, data.step_ms)
    got = har.targets(seen, synthetic, (1, 4, 24))
    for head, steps in enumerate((1, 4, 24)):
        for t in range(300):
            ahead = range(t + 1, t + 1 + steps)
            real = [at for at in ahead if at < 300 and not synthetic[at]]
            if synthetic[t] or t + steps >= 300 or 2 * len(real) < steps:
                assert np.isnan(got[t, head])
            else:
                mean = np.mean(seen.range_variance[real])
                assert got[t, head] == pytest.approx(0.5 * np.log(mean) - seen.log_base[t], abs=1e-9)


def test_a_fit_knows_only_the_horizons_that_its_history_can_teach(
    training_set: Callable[..., TrainingSet],
) -> None:
    assert har.fit(training_set("A", 100)).heads == (1, 4)
    assert har.fit(training_set("A", 480)).heads == (1, 4, 24)
    model = har.fit(training_set("A", 3360))
    assert model.heads == (1, 4, 24, 168)
    assert model.arrays["skip_weights"].shape == (FeatureSet.P, 4)
    assert model.metadata.data_points == 3360


def test_warm_scores_begin_in_the_middle_and_are_as_large_as_errors(
    training_set: Callable[..., TrainingSet],
) -> None:
    data = training_set("A", 1000)
    model = har.fit(data)
    for head, steps in enumerate(model.heads):
        scores = model.warm_scores(head)
        assert scores.dtype == np.float32
        assert len(scores) == 500 - steps  # origins 500 … 999 − h
        assert 0.5 < np.median(scores) < 1.0  # of a standard normal: 0.67
    assert not len(har.fit(training_set("A", 999)).warm_scores(0))


def test_a_warm_score_is_the_error_of_a_ridge_that_did_not_know_it(
    training_set: Callable[..., TrainingSet],
) -> None:
    data = training_set("A", 1200)
    model = har.fit(data)
    cut, next_cut, head, steps = int(0.62 * 1200), int(0.75 * 1200), 1, 4
    seen = FeatureSet().run(data.state, data.candles, data.open_ms, data.step_ms)
    known = har.targets(seen, data.synthetic, data.heads)[: cut - steps, head : head + 1]
    ridge = har.fit_ridge("A", seen.skip[: cut - steps], known)
    for origin in (cut, next_cut - 1):
        forecast = float(seen.skip[origin] @ ridge.weights[:, 0] + ridge.bias[0])
        width = log_scale(np.array(forecast), seen.log_base[origin], seen.log_slow[origin], np.array(steps))
        moved = np.log(float(data.candles[origin + steps, 3]) / float(data.candles[origin, 3]))
        score = model.warm_scores(head)[origin - int(0.5 * 1200)]
        assert score == pytest.approx(abs(moved) / np.exp(width), rel=1e-5)


def test_a_live_model_answers_as_it_was_fitted(
    training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    data = training_set("A", 700)
    model = har.fit(data)
    live = har.LiveHar(len(model.heads))
    live.grow(2)
    live.put(1, model)
    view = view_of(data)
    said = live.forecast(np.array([1]), view)
    ratios = view.skip[0] @ model.arrays["skip_weights"] + model.arrays["skip_bias"]
    # 168 candles ahead have no head of their own: the longest, 24, answers.
    expected = log_scale(ratios[[0, 1, 2, 2]], view.log_base, view.log_slow, view.steps[0])
    np.testing.assert_allclose(said.log_scale[0], expected, rtol=1e-12)
    assert said.heads.tolist() == [3]
    assert not said.location.any()
    signed = view.skip[0, [15, 17, 18]]
    drift = signed @ model.arrays["drift_weights"] * np.exp(view.log_base) * np.array([1, 4, 24]) ** 0.5
    np.testing.assert_allclose(said.drift[0], [*drift, 0.0], rtol=1e-12)


def test_a_trend_is_found_in_the_signed_features_and_in_noise_there_is_hardly_one(
    training_set: Callable[..., TrainingSet],
) -> None:
    data, rng = training_set("A", 4_000), np.random.default_rng(0)
    sizes = []
    for persistence in (0.0, 0.5):
        moves = 0.01 * rng.standard_normal(4_000)
        for at in range(1, 4_000):
            moves[at] += persistence * moves[at - 1]
        close = np.exp(np.cumsum(moves))
        open_ = np.concatenate([[1.0], close[:-1]])
        high, low = 1.002 * np.maximum(open_, close), 0.998 * np.minimum(open_, close)
        bars = [open_, high, low, close, np.ones(4_000)]
        candles = np.stack(bars, axis=1).astype(np.float32)
        model = har.fit(replace(data, candles=candles))
        sizes.append(float(model.arrays["drift_weights"][0, 0]))
    assert abs(sizes[0]) < 0.05
    assert sizes[1] > 0.2


@pytest.mark.parametrize(
    ("steps", "exponent"), [(1, 0.95), (4, 0.95), (24, 0.8), (168, 0.75), (2016, 0.75), (64, 0.7748)]
)
def test_long_horizons_shrink_toward_the_slow_level(steps: int, exponent: float) -> None:
    assert level_exponent(np.array([steps]))[0] == pytest.approx(exponent, abs=1e-4)
    base, slow, forecast = 0.01, 0.03, 0.5
    got = log_scale(np.array(forecast), np.log(base), np.log(slow), np.array(steps))
    fast = base * np.exp(forecast) * steps**0.5
    level = slow * steps**0.5
    assert np.exp(got) == pytest.approx(level ** (1 - exponent) * fast**exponent, rel=1e-3)


def test_a_horizon_between_two_known_ones_lies_between_them() -> None:
    exponents = level_exponent(np.arange(1, 400))
    assert (np.diff(exponents) <= 0).all()
    assert level_exponent(np.array([0])).tolist() == [0.95]  # a row with fewer horizons
