"""All that the topics have said lately, in bounded memory."""

import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from operator import index
from typing import Any, Final, NamedTuple

import orjson

from stream_lstm.candles.closing import Closing
from stream_lstm.candles.decode import NO_PIN, Pin, decode
from stream_lstm.candles.series import Closed, SeriesKey, Update
from stream_lstm.contracts import event as contract
from stream_lstm.contracts.event import Event
from stream_lstm.contracts.reply import REPLY
from stream_lstm.contracts.wire import length_ms
from stream_lstm.dashboard.candle_ring import CandleRing
from stream_lstm.dashboard.fans import Fans
from stream_lstm.dashboard.record import Record
from stream_lstm.dashboard.series_state import ModelSaid, SeriesState
from stream_lstm.dashboard.workers import Workers
from stream_lstm.errors import BadCandle

log = logging.getLogger(__name__)

MOST_SERIES: Final = 10_000
"""Series that are kept; candles and predictions of others are counted and not kept."""
_LOG: Final = 200
_REMEMBERED_IDS: Final = 2_000
_TURNS: Final = ("series.paused", "series.resumed")
_UNREADABLE: Final = (ValueError, KeyError, TypeError, IndexError, AttributeError, ZeroDivisionError)


class Logged(NamedTuple):
    """An event of the log, and its number."""

    number: int
    event: Event


class Store:
    """Takes records as they come, in any order of topics; repeats count once. Never raises on a record.

    `clock` tells seconds, for how long something has been waited for.
    """

    def __init__(
        self,
        *,
        close_grace_ms: int = 5_000,
        most_series: int = MOST_SERIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.version = 0
        """Rises with every change of a series."""
        self.series: OrderedDict[SeriesKey, SeriesState] = OrderedDict()
        """The one that changed last is last."""
        self.fans = Fans()
        self.workers = Workers()
        self.log: deque[Logged] = deque(maxlen=_LOG)
        self.dead_letters = 0
        self.unreadable = 0
        self.left_out = 0
        """Records of series beyond the most that are kept."""
        self.logged = 0
        self.heard = clock()
        """By our clock, when the last new prediction came."""
        self._close_grace_ms = close_grace_ms
        self._most = most_series
        self._clock = clock
        self._closings: dict[tuple[str, int], Closing] = {}
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._take: dict[str, Callable[[Any], None]] = {
            "predictions": self._prediction,
            "scores": self._score,
        }

    def offer(self, topic: str, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()) -> None:
        """A record of one of our topics, by its logical name."""
        try:
            if topic == "model-events":
                self._event(value or b"")
            elif topic == "candles.dlq":
                self._dead_letter(dict(headers))
            else:
                self._take[topic](orjson.loads(value or b""))
        except _UNREADABLE:
            self.unreadable += 1

    def offer_candle(
        self, place: tuple[str, int], value: bytes | None, record_ms: int, pin: Pin = NO_PIN
    ) -> None:
        """A record of an input; `place` is its topic and partition, which has a clock of its own."""
        closing = self._closings.get(place)
        if closing is None:
            closing = self._closings[place] = Closing(self._close_grace_ms, self._most)
        for update in decode(value, record_ms=record_ms, pin=pin).updates:
            try:
                closed = closing.offer(update, record_ms)
            except BadCandle:  # a dead letter, which the worker writes
                continue
            self._pend(update)
            for candle in closed:
                self._close(candle)

    def changed_since(self, version: int) -> Iterator[SeriesState]:
        """Series that have changed since the store had that version, the last changed first."""
        for state in reversed(self.series.values()):
            if state.version <= version:
                return
            yield state

    def sweep(self, seconds: float) -> None:
        """Count as changed what has waited for so long by now, and all if the last worker has stopped."""
        now, stopped = self._clock(), self.workers.all_stopped
        for state in [*self.series.values()]:
            waited = 0.0 if state.unanswered_at is None or state.as_of < 0 else now - state.unanswered_at
            late = stopped or min(waited, now - self.heard) > seconds
            if late != state.late:
                state.late = late
                self._touch(state)

    def _state(self, key: SeriesKey, step_ms: int) -> SeriesState | None:
        state = self.series.get(key)
        if state is None:
            if len(self.series) >= self._most:
                self.left_out += 1
                return None
            state = self.series[key] = SeriesState(key, CandleRing(step_ms))
        return state

    def _touch(self, state: SeriesState) -> None:
        self.version += 1
        state.version = self.version
        self.series.move_to_end(state.key)

    def _pend(self, update: Update) -> None:
        state = self._state(update.series, update.step_ms)
        if state is not None and update.open_ms > state.candles.last_open_ms:
            state.pending = update
            self._touch(state)

    def _close(self, candle: Closed) -> None:
        state = self._state(candle.series, candle.step_ms)
        if state is None:
            return
        state.candles.put(candle.open_ms, candle.open, candle.high, candle.low, candle.close)
        if state.pending is not None and state.pending.open_ms <= candle.open_ms:
            state.pending = None
        if candle.close_ms > state.due_after and state.unanswered_at is None:
            state.unanswered_at = self._clock()
        if state.silent_since is not None and candle.close_ms > state.silent_since:
            state.silent_since = None
        self._touch(state)

    def _prediction(self, body: Any) -> None:
        key = _key_of(body)
        as_of, horizon, step_ms = index(body["asOf"]), body["horizon"], length_ms(key.interval)
        state = self._state(key, step_ms)
        if state is None:
            return
        close, info = float(body["lastClose"]), body["modelInfo"]
        fan = self.fans.made(key, as_of, step_ms, close)
        if not fan.take(body):
            return
        self.heard = self._clock()
        state.horizons.setdefault(horizon, length_ms(horizon))
        state.candles.put_close(as_of + 1 - step_ms, close)
        if as_of >= state.as_of:
            state.as_of, state.last_close, state.warming = as_of, close, None
            if state.paused_at is not None and as_of > state.paused_at:  # an older one may be read later
                state.paused_at = None
            state.models[horizon] = ModelSaid(
                str(info["modelType"]),
                bool(info["stale"]),
                info["lastTrained"],
                info["expiresAt"],
                info.get("reason"),
                info.get("intervalSkill"),
            )
            if state.last_close_ms <= as_of:
                state.unanswered_at = None
        self._touch(state)

    def _score(self, body: Any) -> None:
        key = _key_of(body)
        state = self._state(key, length_ms(key.interval))
        if state is not None:
            state.horizons.setdefault(body["horizon"], length_ms(body["horizon"]))
            if state.records.setdefault(body["horizon"], Record()).take(body):
                self._touch(state)

    def _event(self, value: bytes) -> None:
        event = Event.from_json(value)
        state = None
        if event.exchange and event.symbol and event.interval:
            key = SeriesKey(event.exchange, event.symbol, event.interval)
            state = self._state(key, length_ms(key.interval))
        # Paused, resumed and paused again at one candle: the same id twice, and no repeat.
        turns = state is not None and event.type in _TURNS and event.id != state.turned
        if event.id in self._ids and not turns:
            return
        self._ids[event.id] = None
        if len(self._ids) > _REMEMBERED_IDS:
            self._ids.popitem(last=False)
        self.workers.take(event)
        if event.type == REPLY:  # what a command has done is an event of its own
            return
        self.logged += 1
        self.log.append(Logged(self.logged, event))
        if state is not None:
            _apply(state, event)
            self._touch(state)

    def _dead_letter(self, headers: dict[str, bytes]) -> None:
        if "stream-lstm.replayed" not in headers:  # a marker of `dlq replay`, and no letter
            self.dead_letters += 1


def _key_of(body: dict[str, Any]) -> SeriesKey:
    key = SeriesKey(body["exchange"], body["symbol"], body["interval"])
    if not all(isinstance(part, str) for part in key):
        raise TypeError(f"no name of a series: {key}")
    return key


def _apply(state: SeriesState, event: Event) -> None:
    said = event.payload
    match said:
        case contract.SeriesWarmingUp() if event.at > state.as_of:
            state.warming = said.candles, said.needed, event.at
        case contract.SeriesPaused():
            state.paused_at, state.turned = event.at, event.id
        case contract.SeriesResumed():
            state.paused_at, state.resumed_at, state.split = None, event.at, False
            state.turned = event.id
            if state.last_close_ms <= event.at:
                state.unanswered_at = None
        case contract.SeriesSplit():
            state.split = True
        case contract.SeriesStale():
            state.silent_since = said.last_close
        case contract.RetrainRequested():
            state.training = "a training was asked for"
        case contract.TrainingFailed():
            state.training = f"the last training failed: {said.error}"
        case contract.ModelTrained() if said.role != "challenger":
            state.training = None
        case _:
            pass
