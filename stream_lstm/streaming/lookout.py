"""What the loop looks at every second: lags for the watchdog, gauges, series that have fallen silent."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiokafka import TopicPartition

from stream_lstm.forecasting.engine import Engine
from stream_lstm.kafka.group import GroupConsumer
from stream_lstm.kafka.records import TopicPartition as Place
from stream_lstm.observability.progress import Progress
from stream_lstm.streaming.encoding import Encoder
from stream_lstm.streaming.partition import Partition
from stream_lstm.streaming.publisher import Publisher
from stream_lstm.streaming.staleness import Staleness
from stream_lstm.streaming.telemetry import Telemetry
from stream_lstm.training.trainer import Trainer

log = logging.getLogger(__name__)

_SECONDS: Final = 1.0
_MODELS_SECONDS: Final = 5.0
_ASK_AFTER_SECONDS: Final = 5.0


@dataclass(slots=True, kw_only=True)
class Lookout:
    """Looks when it is time, and tells what it sees."""

    group: GroupConsumer
    engine: Engine
    trainer: Trainer
    publisher: Publisher
    encoder: Encoder
    telemetry: Telemetry
    progress: Progress
    staleness: Staleness
    partitions: Mapping[Place, Partition]
    queues: Mapping[str, Callable[[], int]]
    """How much waits in each queue of the worker, by its name in the metrics."""
    _looked_at: float = field(default=0.0, init=False)
    _models_at: float = field(default=0.0, init=False)
    _silent_at: float = field(default=0.0, init=False)
    _brokers_silent: bool = field(default=False, init=False)

    async def look(self) -> set[Place]:
        """The partitions that are seen to have nothing to read; none while it is not time to look."""
        now = time.monotonic()
        if now - self._looked_at < _SECONDS:
            return set()
        self._looked_at = now
        self.telemetry.queues({name: length() for name, length in self.queues.items()})
        caught_up = await self._positions()
        silence = await self._silence_seconds()
        self.progress.heard(silence)
        self._tell_brokers_silent(silence > _ASK_AFTER_SECONDS)
        if now - self._models_at >= _MODELS_SECONDS:
            self._models_at = now
            self.telemetry.models(self.engine, self.trainer)
        elif now - self._silent_at >= _MODELS_SECONDS:  # not in the same turn: each goes over all series
            self._silent_at = now
            self._tell_silent(now)
        return caught_up

    async def _silence_seconds(self) -> float:
        """How long ago a broker last answered.

        Asked for when nothing was fetched for a while: there may be nothing to fetch, without a partition,
        while all are restored or wait for trainings.
        """
        answered_ms = self.group.last_answer_ms()
        silence = math.inf if answered_ms is None else max(time.time() - answered_ms / 1000, 0)
        return 0.0 if silence > _ASK_AFTER_SECONDS and await self.group.answers() else silence

    def _tell_brokers_silent(self, silent: bool) -> None:
        if silent and not self._brokers_silent:
            log.warning(
                "no broker answers: waits for Kafka, and ends itself if none does for worker.stall_timeout = "
                "%g s",
                self.progress.stall_timeout_s,
            )
        elif self._brokers_silent and not silent:
            log.info("a broker answers again")
        self._brokers_silent = silent

    async def _positions(self) -> set[Place]:
        lags = await self.group.lags()
        caught_up = set()
        for place, partition in self.partitions.items():
            lag = lags.get(TopicPartition(*place))
            if lag is None:
                continue
            behind = lag + partition.queued
            if not behind and not partition.ready:
                caught_up.add(place)
            self.progress.observe(place, position=partition.next_offset, lag=behind, waiting=partition.waits)
            self.telemetry.position(place, behind, partition.next_offset, partition.newest_ms)
        return caught_up

    def _tell_silent(self, now: float) -> None:
        for series, last_close_ms, intervals in self.staleness.look(self.engine.all_series(), now):
            data = {"lastClose": last_close_ms, "intervals": intervals}
            self.publisher.publish_soon([self.encoder.own("series.stale", data, series=series)])
