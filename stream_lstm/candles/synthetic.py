"""A seeded synthetic market: volatility that clusters and has a daily cycle, heavy tails, one common factor.

Log volatility is an AR(1) [1], a candle's return is Student-t given its volatility [2], and every bar
is the open, extremes and end of a Brownian path inside the candle, so that ranges are consistent with
the volatility. Prices are martingales in logs: nothing can be known of their direction.

[1] Taylor, Modelling Financial Time Series, 1986.
[2] Bollerslev, Review of Economics and Statistics 69, 1987.
"""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = 1_024
"""Candles drawn at once: a longer run has the same blocks, and more."""
_STEPS: Final = 48
"""Steps of the path inside a candle."""
_DAY_MS: Final = 86_400_000
_DAILY_VOLATILITY: Final = 0.03
"""Standard deviation of a day's log return in an ordinary hour of an ordinary day."""
_HALF_LIFE_MS: Final = 2 * _DAY_MS
"""How long half of a deviation of log volatility lasts."""
_SPREAD: Final = 0.5
"""Standard deviation of log volatility over the long run."""
_CYCLE: Final = 0.35
"""Swing of log volatility over a day, highest at `_BUSIEST`."""
_BUSIEST: Final = 15 / 24
_TAIL: Final = 5.0
"""Degrees of freedom of the Student-t."""
_COMMON: Final = 0.6
"""Correlation of any two symbols' returns, given their volatilities."""
_TURNOVER: Final = 1e8
"""Quote units traded per unit of log range."""
_VOLUME_NOISE: Final = 0.4

# S symbols, T candles, N steps inside a candle.


class _Draws(NamedTuple):
    """The random numbers of a block; every symbol has its own stream."""

    wave: NDArray[np.float64]
    """(S, T) standard normal: what is new in the log volatility."""
    tail: NDArray[np.float64]
    """(S, T) the factor that makes a normal return Student-t of unit variance."""
    path: NDArray[np.float64]
    """(S, T, N) standard normal: the steps inside the candles."""
    volume: NDArray[np.float64]
    """(S, T) standard normal."""


def market(
    symbols: Sequence[str], *, step_ms: int, start_ms: int, candles: int, seed: int
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Open times (T,) in epoch ms and bars (T, 5), open, high, low, close, volume, of every symbol.

    The same arguments give the same bytes; more candles extend the same ones, and a symbol's bars do not
    depend on which others are asked for. `seed` is not negative.

    >>> open_ms, bars = market(["BTCUSDT"], step_ms=3_600_000, start_ms=0, candles=3, seed=1)["BTCUSDT"]
    >>> open_ms.tolist(), bars.shape, bool((bars[1:, 0] == bars[:-1, 3]).all())
    ([0, 3600000, 7200000], (3, 5), True)
    """
    stream = blocks(symbols, step_ms=step_ms, start_ms=start_ms, seed=seed)
    drawn = [next(stream) for _ in range(candles // _BLOCK + 1)]
    open_ms = np.concatenate([times for times, _ in drawn])[:candles]
    bars = np.concatenate([part for _, part in drawn], axis=1)[:, :candles]
    return {symbol: (open_ms, bars[row]) for row, symbol in enumerate(symbols)}


def blocks(
    symbols: Sequence[str], *, step_ms: int, start_ms: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """The same market without end: open times (T,) and bars (S, T, 5), a block of candles at a time."""
    names = [crc32(symbol.encode()) for symbol in symbols]
    start = [np.random.default_rng((seed, name)).standard_normal(2) for name in names]
    wave, log_price = np.array(start).reshape(-1, 2).T
    log_price = np.log(100.0) + 2 * log_price
    price = np.exp(log_price)
    for block in count():
        open_ms = start_ms + step_ms * np.arange(block * _BLOCK, (block + 1) * _BLOCK, dtype=np.int64)
        draws = _draw(names, seed, block)
        waves = _waves(wave, draws.wave, step_ms)
        steps = draws.path * (_volatility(waves, open_ms, step_ms) * draws.tail)[:, :, None] / _STEPS**0.5
        path = log_price[:, None] + np.cumsum(steps.reshape(len(names), -1), axis=1)
        bars = _bars(price, np.exp(path).reshape(steps.shape), draws.volume)
        wave, log_price, price = waves[:, -1], path[:, -1], bars[:, -1, 3]
        yield open_ms, bars


def _draw(names: list[int], seed: int, block: int) -> _Draws:
    common = np.random.default_rng((seed, 0, block)).standard_normal((_BLOCK, _STEPS))
    streams = [np.random.default_rng((seed, name, block)) for name in names]
    own = [stream.standard_normal((_BLOCK, _STEPS)) for stream in streams]
    tail = [np.sqrt((_TAIL - 2) / stream.chisquare(_TAIL, _BLOCK)) for stream in streams]
    wave, volume = ([stream.standard_normal(_BLOCK) for stream in streams] for _ in range(2))
    path = _COMMON**0.5 * common + (1 - _COMMON) ** 0.5 * np.array(own)
    return _Draws(np.array(wave), np.array(tail), path, np.array(volume))


def _waves(wave: NDArray[np.float64], new: NDArray[np.float64], step_ms: int) -> NDArray[np.float64]:
    """Standardised log volatility (S, T): x[t] = φ x[t−1] + √(1 − φ²) ε[t]."""
    decay = 0.5 ** (step_ms / _HALF_LIFE_MS)
    waves = np.empty_like(new)
    for t in range(new.shape[1]):
        wave = decay * wave + (1 - decay**2) ** 0.5 * new[:, t]
        waves[:, t] = wave
    return waves


def _volatility(waves: NDArray[np.float64], open_ms: NDArray[np.int64], step_ms: int) -> NDArray[np.float64]:
    """Standard deviation (S, T) of a candle's log return, before its tail."""
    time_of_day = (open_ms + step_ms / 2) % _DAY_MS / _DAY_MS
    cycle = _CYCLE * np.cos(2 * np.pi * (time_of_day - _BUSIEST))
    typical = _DAILY_VOLATILITY * (step_ms / _DAY_MS) ** 0.5
    return np.asarray(typical * np.exp(_SPREAD * waves + cycle))


def _bars(
    price: NDArray[np.float64], path: NDArray[np.float64], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bars (S, T, 5) of price paths (S, T, N) that go on from `price` (S,); volume follows the range."""
    close = path[:, :, -1]
    open_ = np.concatenate([price[:, None], close[:, :-1]], axis=1)
    high = np.maximum(open_, path.max(axis=2))
    low = np.minimum(open_, path.min(axis=2))
    volume = _TURNOVER / close * np.log(high / low) * np.exp(_VOLUME_NOISE * noise)
    return np.stack([open_, high, low, close, volume], axis=2)
