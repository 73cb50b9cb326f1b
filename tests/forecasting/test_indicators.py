"""Indicators and regimes, one candle at a time, against the whole series at once."""

import numpy as np
import pytest

from stream_lstm.forecasting.indicators import Indicators
from stream_lstm.forecasting.regimes import KNOWN, Regimes

COUNT = 400
ROWS = np.arange(3)


def closes() -> np.ndarray:
    """Three series (3, T)."""
    steps = np.random.default_rng(5).normal(0, 0.01, (3, COUNT))
    return np.exp(np.cumsum(steps, axis=1))


def windows(series: np.ndarray, at: int) -> np.ndarray:
    """The last 20 closes at a candle, zero where there are none."""
    padded = np.concatenate([np.zeros((3, 20)), series], axis=1)
    return padded[:, at + 1 : at + 21]


def ema(series: np.ndarray, span: int) -> float:
    value = series[0]
    for close in series[1:]:
        value += 2 / (span + 1) * (close - value)
    return float(value)


def wilder(series: np.ndarray) -> float:
    change = np.diff(series)
    gain, loss = np.maximum(change, 0), np.maximum(-change, 0)
    up, down = gain[:14].mean(), loss[:14].mean()
    for more, less in zip(gain[14:], loss[14:], strict=True):
        up, down = (up * 13 + more) / 14, (down * 13 + less) / 14
    return float(100 - 100 / (1 + up / down))


@pytest.mark.parametrize("at", [13, 14, 19, 25, 49, 200, COUNT - 1])
def test_indicators_are_those_of_the_whole_series(at: int) -> None:
    series, indicators = closes(), Indicators()
    indicators.grow(3)
    for number in range(at + 1):
        indicators.step(ROWS, series[:, number], corrects=False)
    told = indicators.read(ROWS, windows(series, at))
    for row in range(3):
        past = series[row, : at + 1]
        known = {
            "rsi": (14, wilder(past) if at >= 14 else 0),
            "macd": (25, ema(past, 12) - ema(past, 26)),
            "ema20": (19, ema(past, 20)),
            "ema50": (49, ema(past, 50)),
            "upper": (19, past[-20:].mean() + 2 * past[-20:].std()),
            "lower": (19, past[-20:].mean() - 2 * past[-20:].std()),
        }
        for name, (first, value) in known.items():
            found = getattr(told, name)[row]
            assert np.isnan(found) if at < first else found == pytest.approx(value), name


def test_a_correction_takes_the_place_of_the_candle() -> None:
    series = closes()
    right, corrected = Indicators(), Indicators()
    regimes, mended = Regimes(), Regimes()
    for part in (right, corrected, regimes, mended):
        part.grow(3)
    volatility = np.random.default_rng(1).normal(size=(COUNT, 3))
    for at in range(COUNT):
        right.step(ROWS, series[:, at], corrects=False)
        regimes.step(ROWS, windows(series, at), volatility[at], corrects=False)
        corrected.step(ROWS, series[:, at] * 1.1, corrects=False)
        mended.step(ROWS, windows(series, at) * 2, volatility[at] + 1, corrects=False)
        corrected.step(ROWS, series[:, at], corrects=True)
        mended.step(ROWS, windows(series, at), volatility[at], corrects=True)
        assert mended.read(ROWS) == regimes.read(ROWS)
    last = windows(series, COUNT - 1)
    assert np.array_equal(right.read(ROWS, last), corrected.read(ROWS, last))


def test_a_flat_series_has_no_strength_and_no_trend() -> None:
    indicators, regimes = Indicators(), Regimes()
    indicators.grow(3)
    regimes.grow(3)
    for _ in range(60):
        indicators.step(ROWS, np.ones(3), corrects=False)
        regimes.step(ROWS, np.ones((3, 20)), np.zeros(3), corrects=False)
    assert indicators.read(ROWS, np.ones((3, 20))).rsi.tolist() == [50.0] * 3
    assert {regime.market for regime in regimes.read(ROWS)} == {"SIDEWAYS"}


def test_a_steady_rise_is_bull_a_steady_fall_bear_and_hysteresis_holds() -> None:
    regimes = Regimes()
    regimes.grow(3)
    rise = np.exp(np.linspace(0, 0.2, 20))
    mixed = np.exp(np.cumsum([0.0, *([0.01, 0.01, 0.01, -0.01, -0.0085] * 4)])[:20])
    regimes.step(ROWS, np.stack([rise, rise[::-1], np.ones(20)]), np.zeros(3), corrects=False)
    assert [regime.market for regime in regimes.read(ROWS)] == ["BULL", "BEAR", "SIDEWAYS"]
    regimes.step(ROWS, np.stack([mixed] * 3), np.zeros(3), corrects=False)
    returns = np.diff(np.log(mixed))
    assert abs(returns.sum()) / np.abs(returns).sum() < 0.35
    assert {regime.market for regime in regimes.read(ROWS)} == {"SIDEWAYS"}


def test_volatility_is_told_from_the_hundredth_candle_on_by_its_percentile() -> None:
    regimes = Regimes()
    regimes.grow(3)
    rng = np.random.default_rng(2)
    for at in range(300):
        level = rng.normal(size=3)
        if at == 299:
            level = np.array([9.0, -9.0, 0.0])
        regimes.step(ROWS, np.ones((3, 20)), level, corrects=False)
        if at < KNOWN - 1:
            assert {regime.volatility for regime in regimes.read(ROWS)} == {None}
    told = [regime.volatility for regime in regimes.read(ROWS)]
    assert told[:2] == ["VOLATILE", "CALM"]


def test_a_restarted_row_knows_nothing() -> None:
    series, indicators, regimes = closes(), Indicators(), Regimes()
    indicators.grow(3)
    regimes.grow(3)
    for at in range(150):
        indicators.step(ROWS, series[:, at], corrects=False)
        regimes.step(ROWS, windows(series, at), np.zeros(3), corrects=False)
    indicators.restart(1)
    regimes.restart(1)
    indicators.step(ROWS, series[:, 150], corrects=False)
    regimes.step(ROWS, windows(series, 150), np.zeros(3), corrects=False)
    assert np.isnan(indicators.read(ROWS, windows(series, 150)).rsi).tolist() == [False, True, False]
    assert [regime.volatility is None for regime in regimes.read(ROWS)] == [False, True, False]
