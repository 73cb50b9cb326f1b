"""The 37 skip features and 8 LSTM inputs of a candle series, live and in a batch, to the same bit.

Row t is what is known when candle t has closed; clocks are those of the candle about to start.
Notation: E_λ is an exponentially weighted average of half-life λ candles, L(x) = ½ ln max(x, 1e-10),
pk = ln²(high/low) / (4 ln 2) the range variance of Parkinson (1980, J. of Business 53), clipped at
36 x the greater of its running means of half-life 24 and 720, base = L(E₂₄ pk), x = L(pk) − base,
r = ln(close/close₋₁), lv = ln(volume + 1e-9) floored at E₁₆₈ lv − 6.
"""

import hashlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

import stream_lstm.features.averages as avg
from stream_lstm.features.clock import CLOCK_COLUMNS, Calendar, calendar, calendar_of_round

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

SKIP: Final = 37
INPUTS: Final = 8
SIGNED: Final = (15, 17, 18)
"""Skip features with a direction: the last return, and momentum at two speeds."""
_FORMULAS: Final = "1"  # changes whenever a formula below does: models made for another one are refused

_RANGE_FLOOR: Final = 1e-9
_WICK_LIMIT: Final = 36.0
_VOLUME_DEPTH: Final = 6.0
_FAST, _SLOW, _SURGE = avg.RANGE_AT[24], avg.RANGE_AT[720], avg.VOLUME_AT[168]
_OTHERS: Final = [avg.RANGE_AT[half_life] for half_life in (1, 3, 8, 72, 240, 720)]
_INPUT_CLOCKS: Final = [0, 1, 10]
"""Sine and cosine of the hour, weekend."""


class Features(NamedTuple):
    """What models read, one row per candle. N rows, P = 37 skip features, F = 8 inputs; all float64."""

    skip: Floats
    """(N, P)"""
    inputs: Floats
    """(N, F)"""
    log_base: Floats
    """(N,) base, the log of the volatility per candle at half-life 24."""
    log_slow: Floats
    """(N,) L(E₇₂₀ pk)."""
    log_sigma: Floats
    """(N,) log of the EWMA(0.94) standard deviation of log returns."""
    range_variance: Floats
    """(N,) pk, clipped."""

    def rows(self, chosen: NDArray[np.intp]) -> "Features":
        """The same fields of some rows, copied."""
        return Features(*(field[chosen] for field in self))


class FeatureSet:
    """The features of every series, of any interval: one definition for `step` and `run`."""

    P: Final = SKIP
    F: Final = INPUTS
    width: Final = avg.WIDTH

    @property
    def fingerprint(self) -> str:
        """Short hash that a model file records: another feature set, another fingerprint."""
        return hashlib.sha256(f"{_FORMULAS}:{SKIP}:{INPUTS}:{avg.WIDTH}".encode()).hexdigest()[:12]

    def start(self) -> Floats:
        """The state before a series' first candle: (width,)."""
        return np.zeros(avg.WIDTH)

    def step(self, state: Floats, candles: NDArray[np.float32], open_ms: Times, step_ms: Times) -> Features:
        """One candle of each of S series; `state` (S, width) is advanced in place.

        `candles` (S, 5) are open, high, low, close as ratios to a reference price, and volume;
        `open_ms` (S,) their opening; `step_ms` (S,) the interval of each series.
        """
        averages, weights = state[:, avg.AVERAGE], state[:, avg.WEIGHT]
        dates = calendar_of_round(open_ms, step_ms)
        previous = np.ascontiguousarray(state[:, avg.LAST_CLOSE])
        variance, returns, volume = _measure(candles, previous)
        _floor_and_clip(variance, volume, averages, weights)
        averages[...] = averages * avg.DECAY + avg.GAIN * _drive(variance, returns, volume)
        weights[...] = weights * avg.DECAY + avg.GAIN
        state[:, avg.LAST_CLOSE] = candles[:, 3]
        state[:, avg.COUNT] += 1
        means = averages / weights
        log_means, x = _levels(means, variance)
        recent = state[:, avg.RECENT]
        recent[:, :-1] = recent[:, 1:].copy()
        recent[:, -1] = x
        by_hour, ahead = _profiles_of_rows(state, x, dates, step_ms)
        seen = _Seen(means, log_means, variance, returns, volume, x)
        past = _Past(recent[:, -2], recent[:, -3], recent[:, 0], by_hour, ahead)
        return _columns(seen, past, dates.clocks)

    def run(self, state: Floats, candles: NDArray[np.float32], open_ms: Times, step_ms: int) -> Features:
        """N candles of one series in order, from its `state` (width,), which is left as it is.

        Equals N calls of `step` bit for bit: only the recurrences run in time, the rest is elementwise.
        """
        previous = np.concatenate([state[avg.LAST_CLOSE : avg.COUNT], candles[:-1, 3].astype(np.float64)])
        variance, returns, volume = _measure(candles, previous)
        _clip_in_time(variance, state)
        _floor_in_time(volume, state)
        means = _means_in_time(_drive(variance, returns, volume), state)
        log_means, x = _levels(means, variance)
        recent = np.concatenate([state[avg.RECENT], x])
        count = len(x)
        dates = calendar(open_ms, np.array([step_ms]))
        by_hour, ahead = _profiles_in_time(state, x, dates, step_ms)
        seen = _Seen(means, log_means, variance, returns, volume, x)
        past = _Past(recent[23 : 23 + count], recent[22 : 22 + count], recent[1 : 1 + count], by_hour, ahead)
        return _columns(seen, past, dates.clocks)


class _Seen(NamedTuple):
    """What candle t and the averages up to it say; N rows."""

    means: Floats  # (N, AVERAGES)
    log_means: Floats  # (N, 7) L(E_λ pk)
    variance: Floats
    returns: Floats
    volume: Floats
    x: Floats


class _Past(NamedTuple):
    """x of earlier candles, and the profiles for the candles to come; N rows."""

    x_before: Floats
    x_before_that: Floats
    x_yesterday: Floats
    by_hour: Floats
    ahead: Floats  # (N, 24) hour-of-week profile of the next 24 candles


def _measure(candles: NDArray[np.float32], previous_close: Floats) -> tuple[Floats, Floats, Floats]:
    """Range variance before clipping, log return (0 without a previous close), log volume: (N,) each."""
    prices = np.ascontiguousarray(candles.T, np.float64)  # contiguous rows: a strided log may round otherwise
    variance = np.maximum(np.log(prices[1] / prices[2]) ** 2 / (4 * np.log(2.0)), _RANGE_FLOOR)
    known = previous_close > 0
    returns = np.log(np.where(known, prices[3] / np.where(known, previous_close, 1.0), 1.0))
    return variance, returns, np.log(prices[4] + 1e-9)


def _drive(variance: Floats, returns: Floats, volume: Floats) -> Floats:
    """The input of each average: (N, AVERAGES)."""
    drive = np.empty((len(variance), avg.AVERAGES))
    drive[:, avg.RANGES] = variance[:, None]
    drive[:, avg.VOLUMES] = volume[:, None]
    drive[:, avg.MOMENTA] = returns[:, None]
    drive[:, avg.VARIANCE_AT] = returns * returns
    return drive


def _floor_and_clip(variance: Floats, volume: Floats, averages: Floats, weights: Floats) -> None:
    """Clip the range variance and floor the log volume by the averages before them, in place."""
    begun = weights[:, 0] > 0
    weight = np.where(begun[:, None], weights, 1.0)
    highest = np.maximum(averages[:, _FAST] / weight[:, _FAST], averages[:, _SLOW] / weight[:, _SLOW])
    np.minimum(variance, _WICK_LIMIT * highest, out=variance, where=begun)
    np.maximum(volume, averages[:, _SURGE] / weight[:, _SURGE] - _VOLUME_DEPTH, out=volume, where=begun)


def _clip_in_time(variance: Floats, state: Floats) -> None:
    """The same clip, candle after candle of one series; plain floats are the fastest here."""
    fast, slow = state[avg.AVERAGE][[_FAST, _SLOW]].tolist()
    fast_weight, slow_weight = state[avg.WEIGHT][[_FAST, _SLOW]].tolist()
    (fast_decay, slow_decay), (fast_gain, slow_gain) = (
        row[[_FAST, _SLOW]].tolist() for row in (avg.DECAY, avg.GAIN)
    )
    clipped = variance.tolist()
    for at, value in enumerate(clipped):
        if fast_weight > 0:
            value = clipped[at] = min(value, _WICK_LIMIT * max(fast / fast_weight, slow / slow_weight))
        fast, fast_weight = fast * fast_decay + fast_gain * value, fast_weight * fast_decay + fast_gain
        slow, slow_weight = slow * slow_decay + slow_gain * value, slow_weight * slow_decay + slow_gain
    variance[:] = clipped


def _floor_in_time(volume: Floats, state: Floats) -> None:
    """The same floor, candle after candle of one series."""
    mean, weight = float(state[avg.AVERAGE][_SURGE]), float(state[avg.WEIGHT][_SURGE])
    decay, gain = float(avg.DECAY[_SURGE]), float(avg.GAIN[_SURGE])
    floored = volume.tolist()
    for at, value in enumerate(floored):
        if weight > 0:
            value = floored[at] = max(value, mean / weight - _VOLUME_DEPTH)
        mean, weight = mean * decay + gain * value, weight * decay + gain
    volume[:] = floored


def _means_in_time(drive: Floats, state: Floats) -> Floats:
    """Bias-corrected averages after each candle of one series: (N, AVERAGES)."""
    decay = np.concatenate([avg.DECAY, avg.DECAY])
    push = np.concatenate(
        [avg.GAIN * drive, np.broadcast_to(avg.GAIN, drive.shape)], axis=1
    )  # (N, 2·AVERAGES)
    rows = np.empty((len(drive) + 1, 2 * avg.AVERAGES))
    rows[0] = state[: 2 * avg.AVERAGES]
    for before, after, pushed in zip(rows, rows[1:], push, strict=False):
        np.multiply(before, decay, out=after)
        np.add(after, pushed, out=after)
    means: Floats = rows[1:, avg.AVERAGE] / rows[1:, avg.WEIGHT]
    return means


def _log_level(variance: Floats) -> Floats:
    """L(x) = ½ ln max(x, 1e-10)."""
    level: Floats = 0.5 * np.log(np.maximum(variance, 1e-10))
    return level


def _levels(means: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """L(E_λ pk) of the seven speeds (N, 7), and x (N,)."""
    log_means = _log_level(np.ascontiguousarray(means[:, : len(avg.RANGE_SPEEDS)]))
    return log_means, _log_level(variance) - log_means[:, _FAST]


def _profiles_of_rows(state: Floats, x: Floats, dates: Calendar, step_ms: Times) -> tuple[Floats, Floats]:
    """Update both profiles of S series with x; the hour's next value (S,), the week's next 24 (S, 24)."""
    by_hour, by_week = state[:, avg.BY_HOUR], state[:, avg.BY_WEEK]
    rows = np.arange(len(x))
    hour_decay, week_decay = avg.profile_decay(step_ms)
    by_hour[rows, dates.hour] = by_hour[rows, dates.hour] * hour_decay + (1.0 - hour_decay) * x
    by_week[rows, dates.week] = by_week[rows, dates.week] * week_decay + (1.0 - week_decay) * x
    return by_hour[rows, dates.next_hour], by_week[rows[:, None], dates.ahead]


def _profiles_in_time(state: Floats, x: Floats, dates: Calendar, step_ms: int) -> tuple[Floats, Floats]:
    """The same for N candles of one series: (N,) and (N, 24)."""
    hour_decay, week_decay = (float(decay[0]) for decay in avg.profile_decay(np.array([step_ms])))
    by_hour = _profile_in_time(state[avg.BY_HOUR], x, hour_decay, dates.hour, dates.next_hour[:, None])
    by_week = _profile_in_time(state[avg.BY_WEEK], x, week_decay, dates.week, dates.ahead)
    return by_hour[:, 0], by_week


def _profile_in_time(start: Floats, x: Floats, decay: float, slots: Times, wanted: Times) -> Floats:
    """The value that a profile has after candle t in the `wanted` (N, n) slots: (N, n)."""
    profile, values = start.tolist(), []
    for slot, value in zip(slots.tolist(), x.tolist(), strict=True):
        profile[slot] = profile[slot] * decay + (1.0 - decay) * value
        values.append(profile[slot])
    visited = np.zeros(
        (len(x), len(start)), np.intp
    )  # 1 + the last candle at or before t that fell into the slot
    visited[np.arange(len(x)), slots] = np.arange(1, len(x) + 1)
    np.maximum.accumulate(visited, axis=0, out=visited)
    last = np.take_along_axis(visited, wanted, axis=1)
    return np.where(last > 0, np.array([0.0, *values])[last], start[wanted])


def _columns(seen: _Seen, past: _Past, clocks: Floats) -> Features:
    """Every feature from what was seen: elementwise, so that a row never depends on its neighbours."""
    log_means, means = seen.log_means, seen.means
    base, slow = np.ascontiguousarray(log_means[:, _FAST]), np.ascontiguousarray(log_means[:, _SLOW])
    speed = np.exp(base)
    signed = _within(seen.returns / speed, 6)
    first, day, week, slowest = (means[:, at] for at in avg.VOLUME_AT.values())
    skip = np.empty((len(base), SKIP))
    skip[:, 0:6] = log_means[:, _OTHERS] - base[:, None]
    skip[:, 6] = base - slow
    skip[:, 7], skip[:, 8], skip[:, 9] = seen.x, past.x_before, past.x_before_that
    skip[:, 10], skip[:, 11] = past.by_hour, past.ahead[:, 0]
    skip[:, 12] = np.ascontiguousarray(past.ahead[:, :4]).mean(axis=1)
    skip[:, 13] = np.ascontiguousarray(past.ahead).mean(axis=1)
    skip[:, 14], skip[:, 15], skip[:, 16] = past.x_yesterday, signed, np.minimum(signed, 0)
    for column, (half_life, at) in enumerate(avg.MOMENTUM_AT.items(), start=17):
        skip[:, column] = _within(means[:, at] / speed * half_life**0.5, 6)
    np.abs(skip[:, 17:19], out=skip[:, 19:21])
    skip[:, 21], skip[:, 22] = first - slowest, day - slowest
    skip[:, 23] = _within(seen.volume - day, 5)
    skip[:, SKIP - CLOCK_COLUMNS :] = clocks
    inputs = np.empty((len(base), INPUTS))
    inputs[:, 0], inputs[:, 1], inputs[:, 2] = seen.x, signed, np.abs(signed)
    inputs[:, 3] = _within(seen.volume - week, 4)
    inputs[:, 4] = skip[:, 1]
    inputs[:, 5:8] = clocks[:, _INPUT_CLOCKS]
    sigma = _log_level(np.ascontiguousarray(means[:, avg.VARIANCE_AT]))
    return Features(skip, inputs, base, slow, sigma, seen.variance)


def _within(values: Floats, limit: float) -> Floats:
    """Clipped at ± `limit`."""
    return np.minimum(np.maximum(values, -limit), limit)
