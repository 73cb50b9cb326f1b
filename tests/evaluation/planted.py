"""Forecasts whose worth is known: of a random walk, by somebody who knows its law."""

from statistics import NormalDist

import numpy as np

from stream_lstm.candles.files import CandleFile
from stream_lstm.evaluation.evidence import evidence_of
from stream_lstm.evaluation.metrics import judge
from stream_lstm.evaluation.summary import Judged
from stream_lstm.evaluation.track import COVERAGES, Track
from stream_lstm.evaluation.yardstick import yardstick

HOUR = 3_600_000
START = 1_609_459_200_000  # 2021-01-01
DEVIATION = 0.01


def walk(count: int = 4_000, seed: int = 3, symbol: str = "BTC") -> CandleFile:
    """Hourly candles with independent normal log returns."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, DEVIATION, count)))
    ohlcv = np.stack([close, close * 1.001, close * 0.999, close, np.ones(count)], axis=1)
    return CandleFile(symbol, "1h", HOUR, START + HOUR * np.arange(count, dtype=np.int64), ohlcv)


def told(candles: CandleFile, steps: int = 1, *, width: float = 1.0, shift: float = 0.0) -> Track:
    """The true quantiles of every candle, wider by a factor and shifted by so many deviations."""
    close, deviation = candles.ohlcv[:, 3], DEVIATION * np.sqrt(steps)
    half = width * deviation * np.array([NormalDist().inv_cdf((1 + share) / 2) for share in COVERAGES])
    predicted = close * np.exp(shift * deviation)
    return Track(
        horizon=f"{steps}h",
        steps=steps,
        as_of=candles.open_ms + HOUR - 1,
        last_close=close,
        predicted=predicted,
        lower=predicted * np.exp(-half[0]),
        upper=predicted * np.exp(half[0]),
        half_widths=np.tile(half, (len(close), 1)),
        model=("true",) * len(close),
        confidence=0.9,
    )


def judged(candles: CandleFile, track: Track, model: str = "lstm") -> Judged:
    """The verdict about a track."""
    measure = yardstick(candles, track.steps, track.confidence)
    worth = judge(track, measure)
    assert worth is not None
    return Judged(model, candles.symbol, candles.interval, track.horizon, worth, evidence_of(track, measure))
