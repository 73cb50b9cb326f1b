"""Features: live equals batch to the bit, rows are independent of each other, formulas against an oracle."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_lstm.features import Features, FeatureSet

FEATURES = FeatureSet()
HOUR = 3_600_000
START = 1_600_000_000_000 // HOUR * HOUR


def candles_of(seed: int, count: int) -> NDArray[np.float32]:
    """A heavy-tailed walk with empty-volume candles now and then: (count, 5)."""
    rng = np.random.default_rng(seed)
    close = np.exp(np.cumsum(rng.standard_t(3, count) * 0.005))
    opened = np.concatenate([[1.0], close[:-1]])
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(size=count)) * 0.003)
    low = np.minimum(opened, close) / np.exp(np.abs(rng.normal(size=count)) * 0.003)
    volume = np.exp(2 * rng.normal(size=count)) * (rng.random(count) > 0.05)
    return np.stack([opened, high, low, close, volume], axis=1).astype(np.float32)


def live(
    state: NDArray[np.float64], candles: list[NDArray[np.float32]], opens: Any, steps: list[int]
) -> Features:
    """`step` for every candle of every series: each field (T, S, …)."""
    rows = [
        FEATURES.step(
            state,
            np.stack([series[at] for series in candles]),
            np.array([times[at] for times in opens]),
            np.array(steps),
        )
        for at in range(len(candles[0]))
    ]
    return Features(*(np.stack(field) for field in zip(*rows, strict=True)))


@settings(max_examples=12)
@given(
    st.lists(st.sampled_from([60_000, 900_000, HOUR, 4 * HOUR, 24 * HOUR]), min_size=1, max_size=17),
    st.integers(0, 1000),
    st.integers(0, 90),
)
def test_live_equals_batch_to_the_bit_whoever_shares_the_step(steps: list[int], seed: int, warm: int) -> None:
    count = 130
    candles = [candles_of(seed + at, count) for at in range(len(steps))]
    opens = [START // step * step + step * np.arange(count) for step in steps]
    state = np.zeros((len(steps), FEATURES.width))
    live(state, [rows[:warm] for rows in candles], opens, steps) if warm else None
    starts = state.copy()
    together = live(state, [rows[warm:] for rows in candles], [times[warm:] for times in opens], steps)
    for at, step in enumerate(steps):
        batch = FEATURES.run(starts[at], candles[at][warm:], opens[at][warm:], step)
        for name, one, many in zip(Features._fields, batch, together, strict=True):
            np.testing.assert_array_equal(one, many[:, at], err_msg=name)


def test_a_run_leaves_the_state_as_it_is_and_a_step_advances_it() -> None:
    state = FEATURES.start()
    FEATURES.run(state, candles_of(1, 50), START + HOUR * np.arange(50), HOUR)
    assert not state.any()
    FEATURES.step(state[None], candles_of(1, 1), np.array([START]), np.array([HOUR]))
    assert state.any()


def test_no_row_knows_a_later_candle() -> None:
    candles, opens = candles_of(2, 300), START + HOUR * np.arange(300)
    whole = FEATURES.run(FEATURES.start(), candles, opens, HOUR)
    for cut in (1, 40, 299):
        part = FEATURES.run(FEATURES.start(), candles[:cut], opens[:cut], HOUR)
        for early, late in zip(part, whole, strict=True):
            np.testing.assert_array_equal(early, late[:cut])


def plain_averages(values: list[float], half_life: float) -> list[float]:
    """Weighted mean with weights ½^(age/half-life), written out."""
    return [
        sum(0.5 ** ((t - k) / half_life) * values[k] for k in range(t + 1))
        / sum(0.5 ** ((t - k) / half_life) for k in range(t + 1))
        for t in range(len(values))
    ]


@pytest.fixture(scope="module")
def oracle() -> dict[str, Any]:
    """The formulas of the module's docstring in plain Python, on 200 hourly candles."""
    candles, count = candles_of(5, 200).astype(float), 200
    variance: list[float] = []
    volume: list[float] = []
    for at in range(count):
        raw = max(math.log(candles[at, 1] / candles[at, 2]) ** 2 / (4 * math.log(2)), 1e-9)
        lv = math.log(candles[at, 4] + 1e-9)
        if at:
            raw = min(raw, 36 * max(plain_averages(variance, 24)[-1], plain_averages(variance, 720)[-1]))
            lv = max(lv, plain_averages(volume, 168)[-1] - 6)
        variance.append(raw)
        volume.append(lv)
    level = {
        speed: [0.5 * math.log(m) for m in plain_averages(variance, speed)]
        for speed in (1, 3, 8, 24, 72, 240, 720)
    }
    x = [0.5 * math.log(v) - b for v, b in zip(variance, level[24], strict=True)]
    returns = [0.0] + [math.log(candles[at, 3] / candles[at - 1, 3]) for at in range(1, count)]
    return {
        "candles": candles,
        "variance": variance,
        "volume": volume,
        "level": level,
        "x": x,
        "returns": returns,
    }


def test_the_columns_follow_the_written_formulas(oracle: dict[str, Any]) -> None:
    opens = START + HOUR * np.arange(200)
    got = FEATURES.run(FEATURES.start(), oracle["candles"].astype(np.float32), opens, HOUR)
    level, x, volume = oracle["level"], oracle["x"], oracle["volume"]
    t = 199
    scale = math.exp(level[24][t])
    signed = max(-6, min(6, oracle["returns"][t] / scale))
    momentum = [
        max(-6, min(6, plain_averages(oracle["returns"], half_life)[t] / scale * math.sqrt(half_life)))
        for half_life in (6, 24)
    ]
    lv = {half_life: plain_averages(volume, half_life)[t] for half_life in (1, 24, 168, 240)}
    expected = {
        0: level[1][t] - level[24][t],
        2: level[8][t] - level[24][t],
        5: level[720][t] - level[24][t],
        6: level[24][t] - level[720][t],
        7: x[t],
        8: x[t - 1],
        9: x[t - 2],
        14: x[t - 23],
        15: signed,
        16: min(signed, 0),
        17: momentum[0],
        18: momentum[1],
        19: abs(momentum[0]),
        21: lv[1] - lv[240],
        22: lv[24] - lv[240],
        23: max(-5, min(5, volume[t] - lv[24])),
    }
    for column, value in expected.items():
        assert got.skip[t, column] == pytest.approx(value, abs=1e-6), column
    assert got.log_base[t] == pytest.approx(level[24][t], abs=1e-6)
    np.testing.assert_allclose(got.range_variance, oracle["variance"], rtol=1e-5)


def test_the_profiles_remember_their_own_hour(oracle: dict[str, Any]) -> None:
    opens = START + HOUR * np.arange(200)
    got = FEATURES.run(FEATURES.start(), oracle["candles"].astype(np.float32), opens, HOUR)
    next_hour = (opens[-1] // HOUR + 1) % 24
    profile = 0.0
    for at in range(200):
        if opens[at] // HOUR % 24 == next_hour:
            decay = 0.5 ** (1 / 10)
            profile = decay * profile + (1 - decay) * oracle["x"][at]
    assert got.skip[-1, 10] == pytest.approx(profile, abs=1e-6)
    assert got.skip[-1, 11] == pytest.approx((1 - 0.5 ** (1 / 6)) * oracle["x"][200 - 168], abs=1e-6)


def test_every_feature_is_finite_from_the_first_candle_even_when_nothing_moves() -> None:
    flat = np.ones((60, 5), np.float32)
    flat[:, 4] = 0
    for field in FEATURES.run(FEATURES.start(), flat, START + HOUR * np.arange(60), HOUR):
        assert np.isfinite(field).all()
