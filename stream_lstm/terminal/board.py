"""The state behind the live view: what the latest messages say, and how many there were.

Sees thousands of messages a second: a prediction or a score is read as plain JSON, and only as far as needed.
"""

import time
from bisect import insort
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import index
from typing import Any, Final, NamedTuple

import orjson

from stream_lstm.contracts.event import Event
from stream_lstm.contracts.wire import length_ms
from stream_lstm.terminal.rate import Rate

Header = tuple[str, bytes]

_LOG_LENGTH: Final = 50
_REMEMBERED_IDS: Final = 20_000
_UNREADABLE: Final = (ValueError, KeyError, TypeError, IndexError, AttributeError)


class SeriesName(NamedTuple):
    """Which series; sorts by symbol."""

    symbol: str
    interval: str
    exchange: str


class Outlook(NamedTuple):
    """The latest forecast for one horizon of one series, prices in quote units."""

    as_of: int
    revision: int
    price: float
    lower: float
    upper: float
    confidence: float
    """The coverage asked for."""
    reason: str | None
    """Why it is not the configured model that answers, or `extrapolated`."""


@dataclass(slots=True)
class SeriesState:
    """What the latest predictions of one series say; times are epoch ms of stream time."""

    name: SeriesName
    step_ms: int
    """Length of a candle."""
    as_of: int = -1
    last_close: float = 0.0
    model: str = ""
    """Type of the model that answered."""
    stale: bool = False
    last_trained: int | None = None
    expires_at: int | None = None
    outlooks: dict[str, Outlook] = field(default_factory=dict)
    """By horizon."""

    @property
    def model_age_ms(self) -> int | None:
        """How long ago, in stream time, the model was trained; None without a trained one."""
        return None if self.last_trained is None else self.as_of - self.last_trained

    @property
    def retrain_in_ms(self) -> int | None:
        """Stream time until the next retrain is due; negative when it is overdue."""
        return None if self.expires_at is None else self.expires_at - self.as_of


@dataclass(slots=True)
class Coverage:
    """How often actual prices were inside the intervals of one horizon."""

    count: int = 0
    inside: int = 0
    asked: float = 0.0
    """Sum of the coverages asked for."""
    newest: dict[SeriesName, int] = field(default_factory=dict)
    """As-of of the newest score counted, by series: scores of one come in order."""

    @property
    def share(self) -> float:
        """The coverage so far; there is a score at least."""
        return self.inside / self.count

    @property
    def nominal(self) -> float:
        """The coverage asked for."""
        return self.asked / self.count


class Board:
    """Takes messages as they come; repeats count once. `clock` is in seconds, for rates and silence.

    >>> board = Board()
    >>> board.offer("candles.dlq", b"?", [("stream-lstm.reason", b"not_json")])
    >>> board.dead_letters
    Counter({'not_json': 1})
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.series: dict[SeriesName, SeriesState] = {}
        self.names: list[SeriesName] = []
        """Of all series, in order."""
        self.coverage: dict[str, Coverage] = {}
        """By horizon, over all series."""
        self.predictions: Counter[str] = Counter()
        """By type of the model that answered."""
        self.scores = 0
        self.candles = 0
        """Closed candles that have a prediction."""
        self.as_of = -1
        """Close time of the newest of them, epoch ms; -1 without one."""
        self.events: Counter[str] = Counter()
        """By type."""
        self.dead_letters: Counter[str] = Counter()
        """By reason code."""
        self.unreadable = 0
        """Messages that are not what their topic promises."""
        self.log: deque[Event] = deque(maxlen=_LOG_LENGTH)
        """The last events, newest last."""
        self._clock = clock
        self._heard = clock()
        self._rate = Rate(clock)
        self._lengths: dict[str, int] = {}
        self._dead: dict[tuple[bytes, bytes], int] = {}
        self._events_seen: OrderedDict[str, None] = OrderedDict()
        self._take: dict[str, Callable[[bytes | None, Iterable[Header]], None]] = {
            "predictions": self._prediction,
            "scores": self._score,
            "model-events": self._event,
            "candles.dlq": self._dead_letter,
        }

    def offer(self, topic: str, value: bytes | None, headers: Iterable[Header] = ()) -> None:
        """Take one message of a topic, by its logical name; those of other topics are ignored.

        Never raises: what cannot be read is counted.
        """
        take = self._take.get(topic)
        if take is None:
            return
        self._heard = self._clock()
        try:
            take(value, headers)
        except _UNREADABLE:
            self.unreadable += 1

    @property
    def horizons(self) -> list[str]:
        """All that were seen, the shortest first."""
        return sorted(self._lengths, key=self._lengths.__getitem__)

    @property
    def trainings(self) -> int:
        """Models that were trained."""
        return self.events["model.trained"]

    @property
    def failed_trainings(self) -> int:
        """Fits that did not end in a model."""
        return self.events["model.training_failed"]

    def candles_per_second(self) -> float:
        """Over the last five seconds."""
        return self._rate.per_second()

    def silence_seconds(self) -> float:
        """Since the last message of any kind, or since the beginning."""
        return self._clock() - self._heard

    def _prediction(self, value: bytes | None, headers: Iterable[Header]) -> None:
        body = orjson.loads(value or b"")
        name, horizon, outlook = _name_of(body), body["horizon"], _outlook_of(body)
        info, last_close = body["modelInfo"], float(body["lastClose"])
        model, trained, expires = str(info["modelType"]), info["lastTrained"], info["expiresAt"]
        times = (None if trained is None else index(trained), None if expires is None else index(expires))
        series = self.series.get(name)
        before = series.outlooks.get(horizon) if series else None
        if before and (outlook.as_of, outlook.revision) <= (before.as_of, before.revision):
            return
        self._learn(horizon)
        series = series or self._new(name)
        series.outlooks[horizon] = outlook
        self.predictions[model] += 1
        if outlook.as_of > series.as_of:
            self.candles += 1
            self._rate.count()
            self.as_of = max(self.as_of, outlook.as_of)
        if outlook.as_of >= series.as_of:
            series.as_of, series.last_close, series.model = outlook.as_of, last_close, model
            series.stale = bool(info["stale"])
            series.last_trained, series.expires_at = times

    def _score(self, value: bytes | None, headers: Iterable[Header]) -> None:
        body = orjson.loads(value or b"")
        name, horizon, as_of = _name_of(body), body["horizon"], index(body["asOf"])
        inside, asked = bool(body["inside"]), float(body["confidence"])
        coverage = self.coverage.get(horizon)
        if coverage is None:
            self._learn(horizon)
            coverage = self.coverage.setdefault(horizon, Coverage())
        if as_of > coverage.newest.get(name, -1):
            coverage.newest[name] = as_of
            coverage.count += 1
            coverage.inside += inside
            coverage.asked += asked
            self.scores += 1

    def _event(self, value: bytes | None, headers: Iterable[Header]) -> None:
        event = Event.from_json(value or b"")
        if event.id in self._events_seen:
            return
        self._events_seen[event.id] = None
        if len(self._events_seen) > _REMEMBERED_IDS:
            self._events_seen.popitem(last=False)
        self.events[event.type] += 1
        self.log.append(event)

    def _dead_letter(self, value: bytes | None, headers: Iterable[Header]) -> None:
        said = dict(headers)
        if "stream-lstm.replayed" in said:  # a marker of `dlq replay`, and no letter
            return
        if (offset := said.get("__connect.errors.offset")) is not None:
            place = (said["__connect.errors.topic"], said["__connect.errors.partition"])
            if int(offset) <= self._dead.get(place, -1):
                return
            self._dead[place] = int(offset)
        self.dead_letters[said.get("stream-lstm.reason", b"unknown").decode(errors="replace")] += 1

    def _new(self, name: SeriesName) -> SeriesState:
        series = self.series[name] = SeriesState(name, length_ms(name.interval))
        insort(self.names, name)
        return series

    def _learn(self, horizon: str) -> None:
        if horizon not in self._lengths:
            self._lengths[horizon] = length_ms(horizon)


def _name_of(body: dict[str, Any]) -> SeriesName:
    name = SeriesName(body["symbol"], body["interval"], body["exchange"])
    if not (isinstance(name[0], str) and isinstance(name[1], str) and isinstance(name[2], str)):
        raise TypeError(f"no name of a series: {name}")
    return name


def _outlook_of(body: dict[str, Any]) -> Outlook:
    horizon = body["predictions"][-1]
    reason = body["modelInfo"].get("reason")
    return Outlook(
        index(body["asOf"]),
        index(body["revision"]),
        float(horizon["predictedPrice"]),
        float(horizon["lowerBound"]),
        float(horizon["upperBound"]),
        float(horizon["confidence"]),
        None if reason is None else str(reason),
    )
