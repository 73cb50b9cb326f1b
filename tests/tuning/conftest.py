"""A market in which hyper-parameters matter: its volatility is a matter of the hour."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from stream_lstm.candles.files import CandleFile

HOUR = 3_600_000
START = 1_600_000_000_000 // HOUR * HOUR


def by_the_hour(symbol: str, candles: int = 900, seed: int = 0) -> CandleFile:
    """Prices that move six times as far in every fourth hour."""
    rng = np.random.default_rng([seed, *symbol.encode()])
    wide = np.where(np.arange(candles) % 4 == 0, 0.006, 0.001)
    walk = np.cumsum(rng.standard_normal((candles, 12)) * (wide / 12**0.5)[:, None], axis=1)
    ends = np.cumsum(walk[:, -1])
    paths = 100 * np.exp(walk + np.concatenate([[0.0], ends[:-1]])[:, None])
    opens = np.concatenate([[100.0], paths[:-1, -1]])
    highest, lowest = np.maximum(opens, paths.max(axis=1)), np.minimum(opens, paths.min(axis=1))
    bars = np.stack([opens, highest, lowest, paths[:, -1], rng.gamma(2.0, 50.0, candles)], axis=1)
    return CandleFile(symbol, "1h", HOUR, START + HOUR * np.arange(candles, dtype=np.int64), bars)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A file of such candles."""
    candles, path = by_the_hour("BTCUSDT"), tmp_path / "BTCUSDT-1h.csv.gz"
    with gzip.open(path, "wt") as out:
        for at, row in zip(candles.open_ms.tolist(), candles.ohlcv.tolist(), strict=True):
            out.write(f"{at},{','.join(map(repr, row))}\n")
    return path
