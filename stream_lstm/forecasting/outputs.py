"""What the engine says: predictions, scores, events, and the trainings it asks for."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from stream_lstm.candles.series import SeriesKey

Body = dict[str, Any]
Role = Literal["champion", "challenger"]


class Prediction(NamedTuple):
    """One message of the predictions topic."""

    series: SeriesKey
    horizon: str
    as_of: int
    """Close of the last candle that was known, epoch ms."""
    model_type: str
    state: int
    """CRC-32 of (last open time, candle count, model id, score count): a gap in state shows."""
    cause: object
    """What `Engine.admit` was given with the candle: the record that closed it."""
    write: Callable[[], Body]

    @property
    def body(self) -> Body:
        """The contract `Prediction` as a plain dict, written when it is asked for.

        A thousand dicts that wait for their turn cost more than all the numbers in them.
        """
        return self.write()


class Quality(NamedTuple):
    """What a matured prediction counts for, beside all others of its horizon."""

    rank: int
    """Which of the ten intervals between the published quantiles held the outcome, from 0."""
    inside: bool
    """Whether the published interval did."""
    regime: str | None
    """Volatility regime when it was said; None if it was not known."""
    hour: int
    """Of the day, UTC, in which its first candle opened."""


class Score(NamedTuple):
    """One message of the scores topic."""

    series: SeriesKey
    horizon: str
    cause: object
    write: Callable[[], Body]
    quality: Quality

    @property
    def body(self) -> Body:
        """The contract `Score` as a plain dict, written when it is asked for."""
        return self.write()


class Event(NamedTuple):
    """Something that happened to a series; `at_ms` in stream time."""

    type: str
    series: SeriesKey
    at_ms: int
    cause: object
    data: Body


class Seat(NamedTuple):
    """Whose model: that of the champion of a series, who answers, or of its challenger in an experiment."""

    series: SeriesKey
    role: Role = "champion"


class Notice(NamedTuple):
    """What the outcomes of a candle have shown about its series: an event, if the candle is live."""

    at: int
    """Which of the candles of the round."""
    type: str
    data: Body


class TrainingRequest(NamedTuple):
    """A series that needs a model."""

    series: SeriesKey
    partition: Hashable
    need: Literal["no model", "drift", "expired", "asked for"]
    due_ms: int
    """Stream time since when it is due."""
    model_type: str
    role: Role = "champion"

    @property
    def seat(self) -> Seat:
        """Whose model it is to be."""
        return Seat(self.series, self.role)


@dataclass(slots=True)
class Outputs:
    """Everything said about the series of one partition, in the order in which it must be read."""

    predictions: list[Prediction] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
