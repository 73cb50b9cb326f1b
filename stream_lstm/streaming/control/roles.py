"""Who a worker is in the answering of commands: the owner of its live series, and perhaps the leader."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stream_lstm.candles.series import SeriesKey
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.series import Series
from stream_lstm.kafka.group import GroupConsumer
from stream_lstm.kafka.records import TopicPartition
from stream_lstm.streaming.control.inbox import Inbox
from stream_lstm.streaming.partition import Partition


@dataclass(slots=True, kw_only=True)
class Roles:
    """Asks the inbox too: nobody answers before the replies of whoever had the role before are read."""

    inbox: Inbox
    group: GroupConsumer
    engine: Engine
    partitions: Mapping[TopicPartition, Partition]
    control: str
    _live_since: dict[TopicPartition, tuple[Partition, float]] = field(default_factory=dict, init=False)
    _leads_since: float | None = field(default=None, init=False)

    def look(self) -> None:
        """Note since when this worker leads, and since when its partitions are live."""
        now = time.monotonic()
        if (self.control, 0) not in {(place[0], place[1]) for place in self.group.owned}:
            self._leads_since = None
        elif self._leads_since is None:
            self._leads_since = now
        for place, partition in self.partitions.items():
            known = self._live_since.get(place)
            if partition.live and (known is None or known[0] is not partition):
                self._live_since[place] = (partition, now)

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """Partitions that are not ours any more, or begin anew."""
        for place in places:
            self._live_since.pop(place, None)

    def leads(self) -> bool:
        """Whether this worker answers for all: it has partition 0 of `control`."""
        return self._leads_since is not None and self.inbox.has_read(self._leads_since)

    def own(self) -> list[TopicPartition]:
        """The partitions that are live here."""
        return [place for place in self._live_since if self._is_own(place)]

    def series(self, key: SeriesKey) -> Series | None:
        """A series that this worker answers for."""
        series = self.engine.series(key)
        return series if series is not None and self._is_own(self.place(series)) else None

    def place(self, series: Series) -> TopicPartition:
        """The partition of a series of this worker."""
        return next(place for place in self.partitions if place == series.partition)

    def _is_own(self, place: TopicPartition) -> bool:
        if place not in self._live_since:
            return False
        partition, since = self._live_since[place]
        return self.partitions.get(place) is partition and self.inbox.has_read(since)
