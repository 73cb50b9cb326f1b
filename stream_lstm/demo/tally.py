"""What a worker has said, counted from the topics and not from its own counters."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from stream_lstm.candles.series import SeriesKey
from stream_lstm.kafka.topics import DEAD_LETTERS, MODEL_EVENTS, PREDICTIONS, SCORES

Body = Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """Counts messages; `begin` starts over, so that a preload does not count as played.

    >>> tally = Tally()
    >>> tally.offer("model-events", b'{"type": "model.trained"}')
    >>> tally.trainings
    1
    """

    predictions: Counter[str] = field(default_factory=Counter)
    """By type of model."""
    scores: Counter[str] = field(default_factory=Counter)
    """By horizon."""
    inside: Counter[str] = field(default_factory=Counter)
    """Scores whose actual price was inside the interval, by horizon."""
    trainings: int = 0
    dead_letters: int = 0
    """All that there are: `begin` forgives none."""
    answered: int = 0
    """Closed candles that have predictions."""
    _newest: dict[SeriesKey, int] = field(default_factory=dict)
    _mark_ms: int = -1

    def begin(self, mark_ms: int) -> None:
        """Count anew, and of predictions and scores only those of candles that close after `mark_ms`."""
        self._mark_ms = mark_ms
        self.predictions, self.scores, self.inside = Counter(), Counter(), Counter()
        self.trainings = self.answered = 0

    def offer(self, topic: str, value: bytes) -> None:
        """Take one message of a topic, by its logical name; a dead letter is only counted."""
        if topic == PREDICTIONS:
            self._prediction(orjson.loads(value))
        elif topic == SCORES:
            self._score(orjson.loads(value))
        elif topic == MODEL_EVENTS:
            self.trainings += orjson.loads(value)["type"] == "model.trained"
        elif topic == DEAD_LETTERS:
            self.dead_letters += 1

    def has_answered(self, series: Mapping[SeriesKey, int]) -> bool:
        """Whether every series has a prediction as of a close time, or a later one."""
        return all(self._newest.get(key, -1) >= close_ms for key, close_ms in series.items())

    def coverage(self) -> dict[str, float]:
        """Share of the scores inside their interval, by horizon."""
        return {horizon: self.inside[horizon] / count for horizon, count in self.scores.items()}

    def _prediction(self, body: Body) -> None:
        key, as_of = SeriesKey(body["exchange"], body["symbol"], body["interval"]), body["asOf"]
        newest = self._newest.get(key, -1)
        self._newest[key] = max(as_of, newest)
        if as_of > self._mark_ms:
            self.predictions[body["modelInfo"]["modelType"]] += 1
            self.answered += as_of > newest

    def _score(self, body: Body) -> None:
        if body["target"] > self._mark_ms:
            self.scores[body["horizon"]] += 1
            self.inside[body["horizon"]] += body["inside"]
