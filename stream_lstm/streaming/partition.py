"""One input partition: its pending bars, its next offset, the facts that wait for theirs.

Records go in with `feed`; `turn` takes closed candles from them into the engine until the limit, a fact
or a training that must be waited for; the engine's `advance` does the work in between. Which candles
share a turn changes nothing that is said.
"""

import zlib
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from stream_lstm.candles import reasons
from stream_lstm.candles.closing import Closing
from stream_lstm.candles.decode import decode
from stream_lstm.candles.formats import NO_PIN, Pin
from stream_lstm.candles.series import Closed, SeriesKey, Update
from stream_lstm.checkpoints.codec import Checkpoint
from stream_lstm.errors import BadCandle
from stream_lstm.forecasting import seats
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Seat, TrainingRequest
from stream_lstm.kafka.records import KafkaRecord, TopicPartition
from stream_lstm.models.model import Model
from stream_lstm.streaming.changes import Change, Position, apply

NO_RECORD: Final = (-1, 0)


class Cause(NamedTuple):
    """The record because of which something is said."""

    received: float
    """When it was received, by the monotonic clock, in seconds."""
    headers: Sequence[tuple[str, bytes]]
    place: TopicPartition
    after: Position
    """Where what holds after the candle begins."""


class _Next(NamedTuple):
    """A closed candle that waits for its turn, and what is known of its record."""

    candle: Closed
    format: str
    live: bool
    received: float
    headers: Sequence[tuple[str, bytes]]


@dataclass(slots=True)
class Taken:
    """What one turn met besides the candles that it gave to the engine."""

    closed: int = 0
    records: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Candles by (format, outcome)."""
    dead: list[tuple[KafkaRecord, BadCandle]] = field(default_factory=list)
    requests: list[TrainingRequest] = field(default_factory=list)
    newcomers: list[SeriesKey] = field(default_factory=list)
    """Series that are to be claimed."""
    filled_up: bool = False
    """Whether a series was refused for the first time: the partition has as many as it may have."""


class Partition:
    """One partition from its assignment to its revocation."""

    def __init__(
        self,
        place: TopicPartition,
        engine: Engine,
        *,
        seek: int,
        live_from: int,
        pin: Pin = NO_PIN,
        close_grace_ms: int = 5_000,
        most_series: int = 10_000,
        barrier: bool = False,
        topic_partitions: int = 1,
        changes: Iterable[Change] = (),
        claims: bool = False,
    ) -> None:
        """With `claims` a series that is new here is told in `Taken.newcomers`, and does not speak before
        `claimed` has said whose it is.
        """
        self.place = place
        self.pin = pin
        self.live_from = live_from
        """Offset from which on what is found is said; everything before is replayed silently."""
        self.barrier = barrier
        """Whether a due training holds the partition until its model is installed."""
        self.closing = Closing(close_grace_ms, most_series)
        self.topic_partitions = topic_partitions
        """How many partitions its topic had when it was taken over."""
        self.waiting: set[Seat] = set()
        """Whose training holds the partition."""
        self.newest_ms = 0
        """Timestamp of the newest record that was fed."""
        self.candles = 0
        """Closed candles given to the engine."""
        self._last_record: KafkaRecord | tuple[int, int] = NO_RECORD
        self._engine = engine
        self._queue: deque[tuple[KafkaRecord, float]] = deque()
        self._backlog: deque[_Next] = deque()
        self._position = Position(seek, 0)
        self._changes = deque(sorted(changes, key=lambda one: one.at))
        self._parked: dict[SeriesKey, list[Change]] = {}
        self.refused: set[SeriesKey] = set()
        """Series that belong to other partitions: their candles are not used."""
        self._claims = claims
        self._claimed: set[SeriesKey] = set()
        self._unanswered: set[SeriesKey] = set()
        self._turned_away: set[SeriesKey] = (
            set()
        )  # another partition of this worker has them, by right or not
        self._has_asked = False
        self._is_full = False

    @property
    def position(self) -> Position:
        """Where the next candle comes from; everything before it is in the engine."""
        return self._position

    @property
    def next_offset(self) -> int:
        """First offset that is not wholly in the engine: what may be committed after what was said is out."""
        return self._position.offset

    @property
    def live(self) -> bool:
        """Whether the silent replay is over."""
        return self._position.offset >= self.live_from

    @property
    def between_records(self) -> bool:
        """Whether all that came of the records before `next_offset` is in the engine, and nothing is due."""
        return not (self._backlog or self._changes or self.waiting or self._position.candles)

    @property
    def last_record(self) -> tuple[int, int]:
        """Offset and CRC-32 of the value of the last record that was read; `NO_RECORD` if there is none."""
        last = self._last_record
        return last if isinstance(last, tuple) else (last.offset, zlib.crc32(last.value or b""))

    @property
    def queued(self) -> int:
        """Records that were fed and not taken yet."""
        return len(self._queue)

    @property
    def ready(self) -> bool:
        """Whether a turn would take something."""
        if self.waits:
            return False
        return bool(self._queue or self._backlog or self._must_ask)

    def feed(self, records: Iterable[KafkaRecord], received: float) -> None:
        """Queue records in the order of their offsets; `received` by the monotonic clock, in seconds."""
        self._queue.extend((record, received) for record in records)
        if self._queue:
            self.newest_ms = self._queue[-1][0].timestamp

    def turn(self, limit: int, most_records: int = 1_000_000) -> Taken:
        """Take up to `limit` closed candles, and the records that lie between them as far as allowed."""
        taken = Taken()
        while taken.closed < limit and self._passes_changes(taken):
            if self._must_ask:
                self._ask(taken, self._engine.all_requests(self.place))
                self._has_asked = True
            if self.waiting:
                break
            if taken.records >= most_records and not self._backlog:
                break
            if self._backlog:
                if self._waits_for_claim() or self._engine.must_advance(self._backlog[0].candle.series):
                    break
                self._admit(taken)
            elif self._queue:
                self._read(*self._queue.popleft(), taken)
            else:
                break
        return taken

    def take_up(
        self,
        checkpoint: Checkpoint,
        models: Mapping[SeriesKey, Model],
        challengers: Mapping[SeriesKey, Model] = MappingProxyType({}),
    ) -> None:
        """Go on from a checkpoint, with the models that answered then, before the first record is fed.

        Raises `KeyError` or `ValueError` for one that does not fit, with no series left in the engine.
        """
        self._engine.restore(self.place, checkpoint.state, models, challengers)
        self._claimed.update(SeriesKey(*told["key"]) for told in checkpoint.state.series)
        self.closing.restore(checkpoint.closing)
        self._last_record = (checkpoint.origin.last_offset, checkpoint.origin.last_crc)

    def install(self, seat: Seat, model: Model) -> None:
        """Let a model take its seat from the present position on."""
        self.waiting.discard(seat)
        seats.install(self._engine, seat, model)

    def change(self, change: Change) -> list[TrainingRequest]:
        """Let a change of a live series take effect here; gives the trainings that it makes due."""
        apply(self._engine, change)
        self.waiting -= {seat for seat in self.waiting if not seats.is_wanted(self._engine, seat)}
        requests = self._engine.requests(change.series)
        if self.barrier:
            self.waiting.update(request.seat for request in requests)
        return requests

    def give_up(self, seat: Seat) -> None:
        """Go on without the model that the partition waits for."""
        self.waiting.discard(seat)

    def claimed(self, series: SeriesKey, owner: TopicPartition) -> bool:
        """Take the answer to a claim; false if candles were lost meanwhile, so that it must be restored."""
        self._unanswered.discard(series)
        if owner == self.place:
            return series not in self._turned_away
        self.refuse(series)
        return True

    def refuse(self, series: SeriesKey) -> None:
        """Use no candle of a series any more."""
        self.refused.add(series)
        held = self._engine.series(series)
        if held is not None and held.partition == self.place:
            self._engine.forget(series)
            self.waiting -= {seat for seat in self.waiting if seat.series == series}

    @property
    def waits(self) -> bool:
        """Whether it stands for want of a model or of the answer to a claim: no fault of its own."""
        return bool(self.waiting) or self._waits_for_claim()

    def _waits_for_claim(self) -> bool:
        """Whether the next candle would be the first to be answered, of a series that may not be ours."""
        if not self._unanswered or not self._backlog:
            return False
        candle, _, live, _, _ = self._backlog[0]
        held = self._engine.series(candle.series)
        if candle.series not in self._unanswered or not live or held is None:
            return False
        return held.count + 1 >= self._engine.config.warm_up

    def _is_ours(self, series: SeriesKey, taken: Taken) -> bool:
        """Whether a candle may be used; claims a series that is new here."""
        if series in self.refused:
            return False
        if series not in self._claimed:
            self._claimed.add(series)
            self._unanswered.add(series)
            taken.newcomers.append(series)
        held = self._engine.series(series)
        if held is None or held.partition == self.place:
            return True
        self._turned_away.add(series)
        return False

    @property
    def _must_ask(self) -> bool:
        """Whether the silent replay has just ended: the trainings that it has left due are asked for now.

        A worker that died while its last candle's training ran goes on as if it had not.
        """
        return self.live and not self._has_asked

    def _ask(self, taken: Taken, requests: Iterable[TrainingRequest]) -> None:
        for request in requests:
            taken.requests.append(request)
            if self.barrier:
                self.waiting.add(request.seat)

    def _passes_changes(self, taken: Taken) -> bool:
        """Apply the changes that are due; false if candles wait in the engine that come before one.

        Those of a replay make no training due: what they leave due is asked for when it is over.
        """
        while self._changes and self._changes[0].at <= self._position:
            if taken.closed:
                return False
            due = self._changes.popleft()
            if not apply(self._engine, due):
                self._parked.setdefault(due.series, []).append(due)
            elif self._has_asked:
                self._ask(taken, self._engine.requests(due.series))
        return True

    def _read(self, record: KafkaRecord, received: float, taken: Taken) -> None:
        if record.offset < self._position.offset:
            return
        self._position = Position(record.offset, 0)
        self._last_record = record
        taken.records += 1
        live = record.offset >= self.live_from
        decoded = decode(record.value, record_ms=record.timestamp, pin=self.pin)
        mistakes = list(decoded.bad)
        closed = self._close(decoded.updates, record, decoded.format, mistakes)
        if closed:
            self._backlog.extend(
                _Next(candle, decoded.format, live, received, record.headers) for candle in closed
            )
        else:
            self._position = Position(record.offset + 1, 0)
        if live:
            taken.dead.extend((record, mistake) for mistake in mistakes)
            if not self._is_full and any(one.reason == reasons.TOO_MANY_SERIES for one in mistakes):
                self._is_full = taken.filled_up = True
            pending = len(decoded.updates) - (len(mistakes) - len(decoded.bad)) - len(closed)
            counts = {"bad": len(mistakes), "pending": max(pending, 0), f"skipped {decoded.skipped}": 0}
            if decoded.skipped:
                counts = {"skipped": 1}
            taken.outcomes.update({(decoded.format, name): count for name, count in counts.items() if count})

    def _close(
        self, updates: list[Update], record: KafkaRecord, format: str, mistakes: list[BadCandle]
    ) -> list[Closed]:
        closed = []
        for update in updates:
            try:
                closed += self.closing.offer(update, record.timestamp, format)
            except BadCandle as mistake:
                mistakes.append(mistake)
        return closed

    def _admit(self, taken: Taken) -> None:
        candle, format, live, received, headers = self._backlog.popleft()
        offset, candles = self._position
        self._position = Position(offset, candles + 1) if self._backlog else Position(offset + 1, 0)
        taken.closed += 1
        self.candles += 1
        if self._claims and not self._is_ours(candle.series, taken):
            if live:
                taken.outcomes[format, "split"] += 1
            return
        cause = Cause(received, headers, self.place, self._position)
        admitted = self._engine.admit(self.place, candle, cause, live=live)
        for change in self._parked.pop(candle.series, ()):
            apply(self._engine, change)
        if live:
            taken.outcomes[format, admitted.outcome] += 1
        self._ask(taken, admitted.requests)
