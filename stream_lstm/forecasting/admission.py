"""Where a closed candle belongs: next, after a gap, a correction, a duplicate, too late."""

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.candles.series import Closed
from stream_lstm.features.clock import DAY_MS
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.series import Series

Outcome = Literal["new", "duplicate", "correction", "late"]
Kind = Literal["next", "fill", "restart", "realign", "revision", "amendment"]

Bridge = Literal["fill", "step"]

SYNTHETIC: Final = "fill"
LONGEST_CLOSURE_MS: Final = 14 * DAY_MS
"""No market is closed for longer, its holidays included; what lasts longer is an outage."""
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


def missing_before(series: Series, candle: Closed) -> int:
    """How many candles are missing between the newest one and this."""
    assert series.last is not None
    return (candle.open_ms - series.last.open_ms) // series.step_ms - 1


def bridges_gap(config: EngineConfig, step_ms: int, missing: int) -> Bridge | None:
    """How a gap of so many candles is bridged: filled flat, or passed in one step; None if it restarts."""
    if config.gap_policy == "calendar":
        return "step" if missing * step_ms <= LONGEST_CLOSURE_MS else None
    most = config.max_gap if config.gap_policy == "restart" else config.history_candles
    return "fill" if missing <= most else None


def flat_after(last: Closed, open_ms: int) -> Closed:
    """A candle without a trade: every price is the last close."""
    close = last.close
    return Closed(last.series, last.step_ms, open_ms, close, close, close, close, 0.0)
