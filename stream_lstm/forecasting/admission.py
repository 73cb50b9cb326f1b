"""Where a closed candle belongs: next, after a gap, a correction, a duplicate, too late."""

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.series import Closed
from stream_lstm.forecasting.closures import LONGEST_MS, Closure, Closures, is_weekend
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.series import Series

Outcome = Literal["new", "duplicate", "correction", "late"]
Kind = Literal["next", "fill", "restart", "realign", "revision", "amendment"]

Bridge = Literal["fill", "step"]

SYNTHETIC: Final = "fill"
CORRECTIONS: Final = ("revision", "amendment")


class Item(NamedTuple):
    """A candle that has its place in a round of `Engine.advance`."""

    series: Series
    candle: Closed
    number: int
    candles: int
    """Real candles of the series up to and with this one."""
    revision: int
    kind: Kind
    """The next candle; a flat one of ours in a gap; the first after a long gap or in a new phase; a
    correction of the newest, which revises its prediction; a correction of an older one."""
    live: bool
    """Whether what it leads to is said; false in a silent replay."""
    cause: object


def outcome_of(series: Series, candle: Closed, waiting: Closed | None) -> Outcome:
    """What a candle is to a series that has one already; `waiting` is the same one if not yet worked on."""
    assert series.last is not None
    if candle.open_ms > series.last.open_ms:
        return "new"
    if candle.open_ms == series.last.open_ms or waiting is not None:
        known = series.last if candle.open_ms == series.last.open_ms else waiting
        return "duplicate" if candle == known else "correction"
    if (candle.open_ms - series.first_open_ms) % series.step_ms:
        return "late"  # of a phase that the series has left
    stored = series.history.find(series.number(candle.open_ms))
    if stored is None:
        return "late"
    return "duplicate" if np.array_equal(stored, relative(candle, series.reference)) else "correction"


def relative(candle: Closed, reference: float) -> NDArray[np.float32]:
    """A candle as the history stores it: (5,) prices over the reference price, and volume."""
    prices = np.array(candle[3:8])
    prices[:4] /= reference
    return prices.astype(np.float32)


def gap_before(series: Series, candle: Closed) -> Closure:
    """The time between the newest candle and this; of no length if it is the next."""
    assert series.last is not None
    return Closure(series.last.close_ms + 1, candle.open_ms)


def bridges_gap(config: EngineConfig, step_ms: int, gap: Closure, closures: Closures) -> Bridge | None:
    """How a gap is bridged: filled flat, or passed in one step; None if the series restarts.

    `closures` are those that the market is known to have had.
    """
    length_ms = gap.to_ms - gap.from_ms
    short = length_ms <= config.max_gap * step_ms
    if config.gap_policy == "calendar":
        return "step" if length_ms <= LONGEST_MS else None
    if config.gap_policy == "auto":
        if is_weekend(gap):
            return "step"
        if short:
            return "fill"
        return "step" if length_ms <= LONGEST_MS and closures.earlier(gap.from_ms) is not None else None
    if config.gap_policy == "flat":
        return "fill" if length_ms <= config.history_candles * step_ms else None
    return "fill" if short else None


def flat_after(last: Closed, open_ms: int) -> Closed:
    """A candle without a trade: every price is the last close."""
    close = last.close
    return Closed(last.series, last.step_ms, open_ms, close, close, close, close, 0.0)
