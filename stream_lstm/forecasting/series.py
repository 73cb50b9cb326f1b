"""What the engine knows of one series beside its columns: identity, history, model, what was said last."""

from collections.abc import Hashable

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.forecasting.closures import Closures
from stream_lstm.forecasting.history import History
from stream_lstm.forecasting.horizons import Horizon
from stream_lstm.models.model import Model


class Series:
    """One series: a row of the engine's columns, owned by one partition."""

    __slots__ = (
        "closures",
        "count",
        "deleted_ms",
        "drift_asked_ms",
        "drifted",
        "expires_ms",
        "first_open_ms",
        "history",
        "horizons",
        "key",
        "last",
        "model",
        "model_type",
        "name",
        "partition",
        "paused",
        "placed",
        "reference",
        "requested",
        "retrain",
        "revision",
        "row",
        "said_expired",
        "said_warming",
        "scores",
        "step_ms",
        "steps",
    )

    def __init__(
        self,
        partition: Hashable,
        first: Closed,
        row: int,
        horizons: tuple[Horizon, ...],
        *,
        limit: int,
        model_type: str,
    ) -> None:
        self.key: SeriesKey = first.series
        self.name = str(first.series)
        self.partition = partition
        self.row = row
        self.step_ms = first.step_ms
        self.horizons = horizons
        self.steps = tuple(horizon.steps for horizon in horizons)
        self.first_open_ms = first.open_ms
        """Candle number 0; numbers go on through gaps and restarts."""
        self.reference = first.close
        """Price unit of the history: every stored price is a ratio to it."""
        self.history = History(limit)
        self.last: Closed | None = None
        """The newest candle that was admitted."""
        self.count = 0
        """Real candles since the beginning or the last long gap; gap fills do not count."""
        self.closures = Closures()
        self.revision = 0
        self.placed = 0
        """Rounds of the coming `advance` that hold a candle of this series."""
        self.model_type = model_type
        """What is trained for it: the setting's, until an experiment has promoted another."""
        self.model: Model | None = None
        self.expires_ms: int | None = None
        self.deleted_ms: int | None = None
        """Close of the newest candle when its model was deleted: it is not trained on that again."""
        self.drifted = False
        """Whether a drift has made its next training due."""
        self.drift_asked_ms: int | None = None
        """When a drift did so last, in stream time."""
        self.requested = False
        self.retrain = False
        """Whether its next training is due whatever the age of its model."""
        self.paused = False
        """Whether it says nothing and is not trained; it goes on learning."""
        self.said_warming = False
        self.said_expired = False
        self.scores = 0
        """Predictions that have matured."""

    def answered_by(self, model: Model, expires_ms: int) -> None:
        """Let a model answer: what was asked for is there."""
        self.model, self.expires_ms = model, expires_ms
        self.requested = self.retrain = self.drifted = self.said_expired = False

    def realign(self, open_ms: int) -> None:
        """Number the candle at `open_ms`, of another phase, after all earlier ones."""
        self.first_open_ms = open_ms - (self.number(open_ms) + 1) * self.step_ms

    def number(self, open_ms: int) -> int:
        """Number of the candle that opens at `open_ms`."""
        return (open_ms - self.first_open_ms) // self.step_ms
