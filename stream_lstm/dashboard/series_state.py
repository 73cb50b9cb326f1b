"""What the topics say about one series."""

from dataclasses import dataclass, field

from stream_lstm.candles.series import SeriesKey, Update
from stream_lstm.dashboard.candle_ring import CandleRing
from stream_lstm.dashboard.record import Record


@dataclass(slots=True)
class ModelSaid:
    """Of a prediction's `modelInfo`: who answered, and how the worker judges it."""

    type: str
    stale: bool
    trained: int | None
    expires: int | None
    reason: str | None
    interval_skill: float | None


@dataclass(slots=True)
class SeriesState:
    """Times are epoch ms of stream time, unless it is said otherwise."""

    key: SeriesKey
    candles: CandleRing
    version: int = 0
    """Of the store when it changed last."""
    pending: Update | None = None
    as_of: int = -1
    """Close time of the newest candle that has a prediction; -1 without one."""
    last_close: float = 0.0
    models: dict[str, ModelSaid] = field(default_factory=dict)
    """By horizon, of the newest prediction."""
    horizons: dict[str, int] = field(default_factory=dict)
    """Lengths in ms, by name."""
    records: dict[str, Record] = field(default_factory=dict)
    warming: tuple[int, int, int] | None = None
    """Candles, candles needed, and when that was so."""
    paused_at: int | None = None
    """Close time of the newest candle when the series was paused; None while it speaks."""
    resumed_at: int = -1
    """Close time of the newest candle when the series was resumed: up to it no prediction will come."""
    turned: str = ""
    """Id of the event that paused or resumed it last."""
    split: bool = False
    silent_since: int | None = None
    """Close time of the last candle when a worker said that nothing comes any more."""
    training: str | None = None
    """What was last said of a training that is not done: asked for, or failed and why."""
    unanswered_at: float | None = None
    """By our clock in seconds, when the first candle without a prediction closed; None if all have one."""

    late: bool = False
    """Whether it was told that no worker answers."""

    @property
    def step_ms(self) -> int:
        """Length of a candle."""
        return self.candles.step_ms

    @property
    def last_close_ms(self) -> int:
        """Close time of the newest closed candle; -1 without one."""
        opened = self.candles.last_open_ms
        return -1 if opened < 0 else opened + self.step_ms - 1

    @property
    def shortest(self) -> str | None:
        """The shortest horizon that is published."""
        return min(self.horizons, key=self.horizons.__getitem__, default=None)

    @property
    def model(self) -> ModelSaid | None:
        """Who answered last, at the shortest horizon."""
        return self.models.get(self.shortest or "")

    def warm(self, needed: int) -> tuple[int, int]:
        """Candles so far of candles needed, before the first prediction."""
        if self.warming is None:
            return min(len(self.candles), needed), needed
        candles, needed, at = self.warming
        since = int((self.candles.rows[:, 0] + self.step_ms - 1 > at).sum())
        return min(candles + since, needed), needed

    @property
    def due_after(self) -> int:
        """Close time of the newest candle that is answered, or will never be."""
        return max(self.as_of, self.resumed_at)

    def unanswered(self) -> int:
        """Closed candles that no prediction has followed; 0 before the first prediction."""
        if self.as_of < 0:
            return 0
        return int((self.candles.rows[:, 0] + self.step_ms - 1 > self.due_after).sum())
