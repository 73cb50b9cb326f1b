"""A trained model on its way into a partition: said as a fact, in the log, and only then answering."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from stream_lstm.errors import PartitionLost
from stream_lstm.forecasting.engine import Engine
from stream_lstm.kafka.records import Record, TopicPartition
from stream_lstm.models.model import Model
from stream_lstm.streaming.changes import TRAINED
from stream_lstm.streaming.encoding import Encoder
from stream_lstm.streaming.facts import Fact
from stream_lstm.streaming.partition import Partition
from stream_lstm.streaming.publisher import Publisher
from stream_lstm.streaming.telemetry import Telemetry
from stream_lstm.training.trainer import DROPPED, TOO_YOUNG, Trained

log = logging.getLogger(__name__)


class _Arrival(NamedTuple):
    """A model and the fact that says it."""

    trained: Trained
    model: Model
    fact: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Takes the trainings that have ended, between two turns of the loop.

    A model answers from the present position of its partition on, and its fact says that position: so it is
    published before anything that the model says, and a replay installs it at the same place.
    """

    engine: Engine
    publisher: Publisher
    encoder: Encoder
    telemetry: Telemetry
    partitions: Mapping[TopicPartition, Partition]
    discard: Callable[[str], None]
    """Deletes a file of the store that nobody wants any more."""

    async def take(self, finished: list[Trained]) -> list[TopicPartition]:
        """Install what has been trained; the partitions that must be restored since a publish failed."""
        arrived: dict[TopicPartition, list[_Arrival]] = {}
        for trained in finished:
            place = self._place_of(trained)
            if self._is_deleted(trained):
                self.telemetry.trained(trained, "dropped")
                self.discard(str(trained.path))
            elif place is None or trained.error == TOO_YOUNG:
                self._drop(trained)
            elif trained.model is None:
                self._failed(trained, self.partitions[place])
            else:
                fact = self._fact(trained, trained.model, place)
                arrived.setdefault(place, []).append(_Arrival(trained, trained.model, fact))
        if not arrived:
            return []
        said = {
            place: ([one.fact for one in models], self.partitions[place].next_offset)
            for place, models in arrived.items()
        }
        lost: Collection[TopicPartition] = ()
        try:
            await self.publisher.publish_all(said)
        except PartitionLost as error:
            log.error("restoring: %s", error)
            lost = error.partitions
        for place in arrived.keys() - lost:
            for trained, model, _ in arrived[place]:
                self.partitions[place].install(trained.request.series, model)
                self.telemetry.trained(trained, "trained")
        return list(lost)

    def _place_of(self, trained: Trained) -> TopicPartition | None:
        """Where the series is live and waits for it; None if it has moved, or has that model already."""
        series = self.engine.series(trained.request.series)
        if trained.error == DROPPED or series is None or not series.requested:
            return None
        for place, partition in self.partitions.items():
            if series.partition == place == trained.request.partition:
                return place if partition.live else None
        return None

    def _is_deleted(self, trained: Trained) -> bool:
        """Whether the model of a series was deleted while another was made of the same candles."""
        series = self.engine.series(trained.request.series)
        if series is None or trained.model is None or series.deleted_ms is None:
            return False
        return trained.model.metadata.trained_at <= series.deleted_ms

    def _fact(self, trained: Trained, model: Model, place: TopicPartition) -> Record:
        series = self.engine.series(trained.request.series)
        assert series is not None
        assert series.last is not None
        at = self.partitions[place].position
        body: dict[str, Any] = {
            "modelId": model.model_id,
            "path": trained.path,
            "modelType": model.model_type,
            "trainedAt": model.metadata.trained_at,
            "expiresAt": self.engine.expiry_of(series, model),
            "dataPoints": model.metadata.data_points,
            "trainingDuration": trained.milliseconds,
        }
        fact = Fact(
            kind=TRAINED,
            series=series.key,
            topic=place[0],
            partition=place[1],
            offset=at.offset,
            candles=at.candles,
            body=body,
        )
        return self.encoder.fact(fact, series.last.close_ms)

    def _drop(self, trained: Trained) -> None:
        """Nothing comes of a training: nobody waits for it, and its series asks again when it is due."""
        key, place, _, _ = trained.request
        self.telemetry.trained(trained, "dropped")
        if trained.error == DROPPED:  # whoever holds the partition now has not asked for this one
            return
        for owner, partition in self.partitions.items():
            if owner == place:
                partition.give_up(key)
        series = self.engine.series(key)
        if series is not None and series.partition == place:
            self.engine.give_up(key)

    def _failed(self, trained: Trained, partition: Partition) -> None:
        """Tell it and go on with the model that there is.

        A partition that waits for its model goes on waiting if only the process died or the store refused,
        and the trainer tries again: what it says rests on its candles, and not on who was killed.
        """
        key = trained.request.series
        if trained.hopeless:
            partition.give_up(key)
            self.engine.give_up(key)
        self.telemetry.trained(trained, "failed")
        event = self.encoder.own("model.training_failed", {"error": trained.error}, series=key)
        self.publisher.publish_soon([event])
