"""The engine alone on the records of one partition: one process, no group, no crash, no clock."""

from collections.abc import Iterable, Iterator

from stream_lstm.candles.formats import NO_PIN, Pin
from stream_lstm.candles.series import SeriesKey
from stream_lstm.errors import TrainingFailed
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.kafka.records import KafkaRecord, Record, TopicPartition
from stream_lstm.models.files import from_safetensors, to_safetensors
from stream_lstm.models.model import Model
from stream_lstm.models.registry import fit_each
from stream_lstm.registry.models import path_of
from stream_lstm.streaming.changes import TRAINED, Change
from stream_lstm.streaming.encoding import Encoder
from stream_lstm.streaming.facts import Fact
from stream_lstm.streaming.partition import Partition

_TURN = 64
"""Candles per step of the engine: how many changes no message."""


class Oracle:
    """Says what a worker ought to say about one partition, from its first record on.

    With `trains` it trains by itself, each model on the candle that makes it due, as `barrier` does, and
    `changes` hold no models; without, those of the facts answer from where the facts say.
    """

    def __init__(
        self,
        config: EngineConfig,
        place: TopicPartition,
        first_offset: int,
        *,
        pin: Pin = NO_PIN,
        close_grace_ms: int = 5_000,
        trains: bool = True,
        changes: Iterable[Change] = (),
    ) -> None:
        self._engine = Engine(config)
        self._encoder = Encoder("verify", "oracle")
        self._partition = Partition(
            place,
            self._engine,
            seek=first_offset,
            live_from=first_offset,
            pin=pin,
            close_grace_ms=close_grace_ms,
            barrier=trains,
            changes=changes,
        )

    def read(self, records: Iterable[KafkaRecord]) -> Iterator[Record]:
        """All that is to be said because of the next records."""
        self._partition.feed(records, 0.0)
        while self._partition.ready:
            taken = self._partition.turn(_TURN)
            said = self._engine.advance(0)
            yield from self._encoder.outputs(said.get(self._partition.place, Outputs()))
            if self._partition.barrier:
                for request in taken.requests:
                    yield from self._train(request.series)

    def _train(self, key: SeriesKey) -> Iterator[Record]:
        """Train what is due and install it: the next candle is answered by it."""
        data = self._engine.training_set(key)
        outcome = fit_each(self._engine.config.model, [data])[0] if data is not None else None
        if outcome is None or isinstance(outcome, TrainingFailed):
            self._engine.give_up(key)
            self._partition.give_up(key)
            return
        model = from_safetensors(to_safetensors(outcome.trained_in(0)))
        yield self._fact(key, model)
        self._partition.install(key, model)

    def _fact(self, key: SeriesKey, model: Model) -> Record:
        series, at = self._engine.series(key), self._partition.position
        assert series is not None
        assert series.last is not None
        topic, partition = self._partition.place
        body = {
            "modelId": model.model_id,
            "path": path_of(str(key), model.model_id),
            "modelType": model.model_type,
            "trainedAt": model.metadata.trained_at,
            "expiresAt": self._engine.expiry_of(series, model),
            "dataPoints": model.metadata.data_points,
        }
        fact = Fact(
            kind=TRAINED,
            series=key,
            topic=topic,
            partition=partition,
            offset=at.offset,
            candles=at.candles,
            body=body,
        )
        return self._encoder.fact(fact, series.last.close_ms)
