"""A trained model answers only when its fact is in the log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.errors import PartitionLost
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.outputs import TrainingRequest
from stream_lstm.kafka.records import Record
from stream_lstm.models.registry import fit
from stream_lstm.observability.metrics import Metrics
from stream_lstm.streaming.arrivals import Arrivals
from stream_lstm.streaming.encoding import Encoder
from stream_lstm.streaming.partition import Partition
from stream_lstm.streaming.telemetry import Telemetry
from stream_lstm.training.trainer import DROPPED, TOO_YOUNG, Trained

HOUR = 3_600_000
PLACE = ("candles", 0)
KEY = SeriesKey("binance", "BTC", "1h")


@dataclass
class Log:
    """Takes what is published, or refuses it."""

    engine: Engine
    refuses: bool = False
    said: list[Record] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    soon: list[Record] = field(default_factory=list)

    async def publish_all(self, said: Mapping[Any, tuple[list[Record], int]]) -> None:
        series = self.engine.series(KEY)
        assert series is not None
        assert series.model is None, "the fact comes before the model"
        if self.refuses:
            raise PartitionLost("no answer", [*said])
        for records, offset in said.values():
            self.said += records
            self.offsets.append(offset)

    def publish_soon(self, records: Iterable[Record]) -> None:
        self.soon += records


@dataclass
class Scene:
    engine: Engine
    partition: Partition
    log: Log
    arrivals: Arrivals
    metrics: Metrics
    discarded: list[str]

    def trained(self, error: str | None = None, place: object = PLACE, *, hopeless: bool = False) -> Trained:
        request = TrainingRequest(KEY, place, "no model", 0)  # type: ignore[arg-type]
        if error is not None:
            return Trained(request, None, None, 5, error, hopeless)
        data = self.engine.training_set(KEY)
        assert data is not None
        return Trained(request, fit("har", [data])[0], "models/a", 5, None)

    def count(self, outcome: str) -> float:
        value = self.metrics.registry.get_sample_value("stream_lstm_trainings_total", {"outcome": outcome})
        return value or 0.0


@pytest.fixture
def scene() -> Scene:
    engine = Engine(EngineConfig(model="har"))
    open_ms, bars = market(["BTC"], step_ms=HOUR, start_ms=0, candles=120, seed=1)["BTC"]
    for at, row in zip(open_ms.tolist(), bars.tolist(), strict=True):
        engine.admit(PLACE, Closed(KEY, HOUR, at, *row), None, live=True)
    engine.advance(0)
    partition = Partition(PLACE, engine, seek=40, live_from=40)
    discarded: list[str] = []
    metrics, log = Metrics.create(), Log(engine)
    arrivals = Arrivals(
        engine=engine,
        publisher=log,  # type: ignore[arg-type]
        encoder=Encoder("app", "w"),
        telemetry=Telemetry(metrics, 0.9),
        partitions={PLACE: partition},
        discard=discarded.append,
    )
    return Scene(engine, partition, log, arrivals, metrics, discarded)


async def test_the_fact_names_model_place_and_lifetime(scene: Scene) -> None:
    trained = scene.trained()
    assert await scene.arrivals.take([trained]) == []
    series = scene.engine.series(KEY)
    assert series is not None
    assert series.model is trained.model
    (record,) = scene.log.said
    event = orjson.loads(record.value or b"")
    assert event["type"] == "model.trained"
    assert event["appliedAt"] == {"topic": "candles", "partition": 0, "offset": 40}
    assert event["data"]["path"] == "models/a"
    assert event["data"]["expiresAt"] == series.expires_ms
    assert scene.log.offsets == [40]
    assert scene.count("trained") == 1


async def test_if_the_fact_may_not_be_in_the_log_the_partition_is_restored(scene: Scene) -> None:
    scene.log.refuses = True
    assert await scene.arrivals.take([scene.trained()]) == [PLACE]
    series = scene.engine.series(KEY)
    assert series is not None
    assert series.model is None
    assert scene.count("trained") == 0


async def test_a_failed_training_is_told_and_lets_the_partition_go_on(scene: Scene) -> None:
    scene.partition.waiting.add(KEY)
    assert await scene.arrivals.take([scene.trained("too flat", hopeless=True)]) == []
    assert scene.partition.waiting == set()
    event = orjson.loads(scene.log.soon[0].value or b"")
    assert (event["type"], event["data"]) == ("model.training_failed", {"error": "too flat"})
    assert scene.count("failed") == 1


async def test_a_training_whose_process_was_killed_goes_on_holding_its_partition(scene: Scene) -> None:
    scene.partition.waiting.add(KEY)
    assert await scene.arrivals.take([scene.trained("the training process ended")]) == []
    assert scene.partition.waiting == {KEY}
    assert orjson.loads(scene.log.soon[0].value or b"")["type"] == "model.training_failed"
    await scene.arrivals.take([scene.trained()])
    assert scene.partition.waiting == set()


async def test_a_series_that_was_too_young_may_ask_again_and_is_no_failure(scene: Scene) -> None:
    series = scene.engine.series(KEY)
    assert series is not None
    assert series.requested
    scene.partition.waiting.add(KEY)
    await scene.arrivals.take([scene.trained(TOO_YOUNG)])
    assert not series.requested
    assert scene.partition.waiting == set()
    assert scene.log.soon == []
    assert (scene.count("failed"), scene.count("dropped")) == (0, 1)


async def test_a_series_that_has_moved_to_another_partition_holds_its_first_one_no_longer(
    scene: Scene,
) -> None:
    scene.partition.waiting.add(KEY)
    trained = scene.trained()
    last = scene.engine.series(KEY)
    assert last is not None
    assert last.last is not None
    moved = last.last._replace(open_ms=last.last.open_ms + HOUR)
    scene.engine.admit(("candles", 1), moved, None, live=True)
    scene.engine.advance(0)
    assert await scene.arrivals.take([trained]) == []
    assert scene.log.said == []
    assert scene.partition.waiting == set()


async def test_a_training_from_before_the_partition_was_lost_ends_no_later_wait(scene: Scene) -> None:
    scene.partition.waiting.add(KEY)
    await scene.arrivals.take([scene.trained(DROPPED)])
    assert scene.partition.waiting == {KEY}
    assert scene.log.soon == []
    assert scene.count("dropped") == 1


async def test_a_model_of_a_partition_that_is_not_ours_any_more_is_dropped(scene: Scene) -> None:
    assert await scene.arrivals.take([scene.trained(place=("candles", 7))]) == []
    assert scene.log.said == []
    assert scene.count("dropped") == 1


async def test_while_a_partition_is_replayed_no_model_is_said(scene: Scene) -> None:
    scene.partition.live_from = 50
    assert await scene.arrivals.take([scene.trained()]) == []
    assert scene.log.said == []
    assert scene.count("dropped") == 1


async def test_a_model_of_candles_whose_model_was_deleted_meanwhile_does_not_come_back(scene: Scene) -> None:
    trained = scene.trained()
    scene.engine.remove_model(KEY)
    assert await scene.arrivals.take([trained]) == []
    series = scene.engine.series(KEY)
    assert series is not None
    assert series.model is None
    assert scene.discarded == ["models/a"]
    assert not scene.log.said
