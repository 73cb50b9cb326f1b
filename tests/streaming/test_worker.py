"""The loop of a worker on a real Kafka: what goes wrong around it is lost on nobody."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from stream_lstm.candles import moments
from stream_lstm.errors import PartitionLost, SettingsError
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.batch_producer import BatchProducer
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.rebalance import Revoked
from stream_lstm.kafka.records import Record
from stream_lstm.kafka.topics import CONTROL, FOR_EVER, TopicNames, TopicSpec, specs
from stream_lstm.observability.metrics import Metrics
from stream_lstm.observability.progress import Progress
from stream_lstm.settings import load
from stream_lstm.streaming import service
from stream_lstm.streaming.control import inbox as inboxes
from stream_lstm.streaming.control.inbox import Inbox
from stream_lstm.streaming.exactly_once import ExactlyOnce
from stream_lstm.streaming.feeder import Feeder
from stream_lstm.streaming.worker import Worker

pytestmark = pytest.mark.kafka

ReadAll = Callable[[str], Awaitable[list[ConsumerRecord]]]
HOURS, HORIZONS, WARM_UP = 130, 4, 100


class Scene:
    """A topic with candles of one series, and what a worker says about them."""

    def __init__(self, connection: KafkaConnection, prefix: str, folder: Path, read: ReadAll) -> None:
        self.connection, self.names, self.folder = connection, TopicNames(prefix), folder
        self.candles = f"{prefix}candles"
        self.read = read
        self.market = moments.of_market(moments.symbols(1), interval="1h", start_ms=10**12, seed=1)

    async def prepare(self) -> None:
        wanted = specs(
            self.names,
            [self.candles],
            partitions=1,
            candle_retention_ms=FOR_EVER,
            output_retention_ms=FOR_EVER,
        )
        await topic_admin.create(self.connection, wanted, Deadline(30))
        await self.feed(HOURS)

    async def feed(self, hours: int) -> None:
        async with Feeder(self.connection, self.candles) as feeder:
            await feeder.pour(islice(self.market, hours))

    async def predictions(self) -> list[dict[str, Any]]:
        return [orjson.loads(one.value) for one in await self.read(self.names["predictions"])]

    async def events(self, kind: str) -> list[dict[str, Any]]:
        events = [orjson.loads(one.value) for one in await self.read(self.names["model-events"])]
        return [event for event in events if event["type"] == kind]

    @asynccontextmanager
    async def worker(self, **options: str) -> AsyncIterator[tuple[Worker, Progress]]:
        """A worker whose parts are started; the test turns its loop."""
        given = {
            "kafka.bootstrap_servers": self.connection.bootstrap_servers,
            "kafka.group": self.names.prefix,
            "topics.prefix": self.names.prefix,
            "inputs": f'[{{"topic": "{self.candles}"}}]',
            "store.url": (self.folder / "store").as_uri(),
            "start_at": "earliest",
            "model": "hybrid",
        } | {name.replace("__", "."): value for name, value in options.items()}
        settings = load(None, [f"{name}={value}" for name, value in given.items()], {})
        progress = Progress(stall_timeout_s=60, clock=asyncio.get_running_loop().time)
        stop = asyncio.Event()
        async with service._started(settings, Metrics.create(), progress, stop) as worker:
            assert worker is not None
            yield worker, progress


@pytest.fixture
async def scene(connection: KafkaConnection, prefix: str, tmp_path: Path, read_all: ReadAll) -> Scene:
    scene = Scene(connection, prefix, tmp_path, read_all)
    await scene.prepare()
    return scene


async def turn_until(worker: Worker, reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not reached():
            await worker.turn()


async def turn_for(worker: Worker, seconds: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await turn_until(worker, lambda: False)


async def assert_trained_on_time(scene: Scene) -> None:
    """Whatever has happened: the candle after the one that made a training due is answered by its model."""
    by_time = {one["asOf"]: one["modelInfo"]["modelType"] for one in await scene.predictions()}
    types = [kind for _, kind in sorted(by_time.items())]
    assert types == ["hybrid"] + ["har"] * (HOURS - WARM_UP)
    assert len(await scene.events("model.trained")) == 2


def at_end(worker: Worker, hours: int = HOURS) -> Callable[[], bool]:
    return lambda: any(partition.next_offset >= hours for partition in worker.partitions.values())


async def test_a_partition_that_is_lost_again_and_again_is_restored_after_pauses(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene.worker() as (worker, _):
        publish, refused = worker.publisher.publish_all, []

        async def refuse(said: Mapping[Any, Any]) -> None:
            if any(records for records, _ in said.values()):
                refused.append(said)
                raise PartitionLost("too large", [*said])
            await publish(said)

        monkeypatch.setattr(worker.publisher, "publish_all", refuse)
        await turn_for(worker, seconds=3)
        assert 2 <= len(refused) <= 4  # at once, after 0.5, 1 and 2 seconds
        monkeypatch.undo()
        await turn_until(worker, at_end(worker))
        assert not worker._losses
    assert len(await scene.predictions()) == (HOURS - WARM_UP + 1) * HORIZONS


@pytest.fixture
async def other_topic(scene: Scene) -> str:
    """A second topic with candles, of another series."""
    name = f"{scene.candles}-2"
    topic = TopicSpec(name=name, partitions=1, retention_ms=FOR_EVER)
    await topic_admin.create(scene.connection, [topic], Deadline(30))
    market = moments.of_market(moments.symbols(2)[1:], interval="1h", start_ms=10**12, seed=2)
    async with Feeder(scene.connection, name) as feeder:
        await feeder.pour(islice(market, HOURS))
    return name


async def test_exactly_once_a_partition_that_was_taken_away_is_restored_and_the_others_go_on(
    scene: Scene, other_topic: str
) -> None:
    inputs = f'[{{"topic": "{scene.candles}"}}, {{"topic": "{other_topic}"}}]'
    async with scene.worker(delivery="exactly_once", inputs=inputs) as (worker, _):
        places = {(scene.candles, 0), (other_topic, 0)}
        await turn_until(
            worker,
            lambda: {place for place, one in worker.partitions.items() if one.next_offset >= HOURS} == places,
        )
        left = worker.partitions[other_topic, 0]
        another = ExactlyOnce(
            scene.connection, worker.group, scene.names.produced, worker.group.config.group_id
        )
        await another.start(Deadline(20))
        assert await another.open((scene.candles, 0)) == HOURS
        await scene.feed(2)
        await turn_until(worker, lambda: (scene.candles, 0) not in worker.partitions)
        assert worker.partitions == {(other_topic, 0): left}
        await turn_until(
            worker,
            lambda: (
                (scene.candles, 0) in worker.partitions
                and worker.partitions[scene.candles, 0].next_offset >= HOURS + 2
            ),
        )
        assert worker.partitions[other_topic, 0] is left
        await another.stop(Deadline(5))
    said = Counter(one["id"] for one in await scene.predictions())
    assert len(said) == said.total() == (2 * (HOURS - WARM_UP + 1) + 2) * HORIZONS


async def test_exactly_once_refuses_more_partitions_than_allowed_at_the_start(
    scene: Scene, other_topic: str
) -> None:
    inputs = f'[{{"topic": "{scene.candles}"}}, {{"topic": "{other_topic}"}}]'
    options = {"delivery": "exactly_once", "max_transactional_partitions": "1", "inputs": inputs}
    with pytest.raises(SettingsError, match=r"inputs have 2 partitions.*max_transactional_partitions = 1"):
        async with scene.worker(**options):
            pass


async def test_who_is_too_late_to_give_up_commits_nothing_any_more(scene: Scene) -> None:
    async with scene.worker(commit_interval="1h") as (worker, _):
        await turn_until(worker, at_end(worker))
        (place,) = worker.partitions
        worker.engine.drop(place)  # so that a candle has no prediction, and its offset waits
        for hours in (HOURS + 1, HOURS + 2):
            await scene.feed(1)
            await turn_until(worker, at_end(worker, hours))
        before = await worker.group.committed(place, Deadline(10))
        await worker._rebalance(Revoked(worker.group.owned, Deadline(0)))
        assert worker.partitions == {}
        assert await worker.group.committed(place, Deadline(10)) == before == HOURS + 1


async def test_a_publish_that_hangs_does_not_hold_a_worker_that_is_told_to_stop(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene.worker(worker__shutdown_timeout="2s") as (worker, _):
        hangs, stop = asyncio.Event(), asyncio.Event()

        async def hang(said: Mapping[Any, Any]) -> None:
            if any(records for records, _ in said.values()):
                hangs.set()
                await asyncio.sleep(60)

        monkeypatch.setattr(worker.publisher, "publish_all", hang)
        running = asyncio.create_task(worker.run(stop))
        async with asyncio.timeout(20):
            await hangs.wait()
        stop.set()
        async with asyncio.timeout(10):
            await running
        assert worker.partitions == {}


async def test_a_barrier_waits_for_a_store_that_refuses_and_goes_on_with_its_model(scene: Scene) -> None:
    blocked = scene.folder / "store" / "models"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder should be")
    async with scene.worker(model="har", training__install="barrier") as (worker, _):
        await turn_until(worker, lambda: bool(worker.partitions) and worker.trainer.seconds_per_training > 0)
        await turn_for(worker, seconds=1.5)
        assert not at_end(worker)()
        assert "cannot save" in (await scene.events("model.training_failed"))[0]["data"]["error"]
        blocked.unlink()
        await turn_until(worker, at_end(worker))
    await assert_trained_on_time(scene)


async def test_a_barrier_that_died_while_it_waited_waits_again(scene: Scene) -> None:
    blocked = scene.folder / "store" / "models"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder should be")
    options = {"model": "har", "training__install": "barrier"}
    async with scene.worker(**options) as (worker, _):
        await turn_until(worker, lambda: worker.trainer.seconds_per_training > 0)
        assert await worker.group.committed(next(iter(worker.partitions)), Deadline(10)) == WARM_UP
    blocked.unlink()
    async with scene.worker(**options) as (worker, _):
        await turn_until(worker, at_end(worker))
    await assert_trained_on_time(scene)


async def test_a_barrier_waits_for_its_model_before_the_next_candle(scene: Scene) -> None:
    async with scene.worker(model="har", training__install="barrier") as (worker, _):
        await turn_until(worker, at_end(worker))
    await assert_trained_on_time(scene)


async def test_after_a_change_of_features_a_series_is_trained_anew(scene: Scene) -> None:
    options = {"model": "har", "training__install": "barrier"}
    async with scene.worker(**options) as (worker, _):
        await turn_until(worker, at_end(worker))
    before = len(await scene.events("model.trained"))
    await scene.feed(2)
    async with scene.worker(**options, features='["ranges","hour"]') as (worker, _):
        await turn_until(worker, at_end(worker, HOURS + 2))
        (series,) = worker.engine.all_series()
        assert series.model is not None
        assert series.model.metadata.config["features"] == "ranges,hour"
    assert len(await scene.events("model.trained")) == before + 1
    last = max(await scene.predictions(), key=lambda one: one["asOf"])
    assert last["modelInfo"]["modelId"] == series.model.model_id


async def test_a_worker_with_nothing_to_read_hears_from_its_brokers(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene.worker() as (worker, progress):
        monkeypatch.setattr(worker.restorer, "finished", list)  # it restores for ever
        await turn_for(worker, seconds=3)
        assert worker.partitions == {}
        assert progress.livez()[1]["brokerSeconds"] < 2


async def test_every_queue_of_a_worker_is_in_its_metrics(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene.worker() as (worker, _):
        with monkeypatch.context() as patched:
            patched.setattr(worker.restorer, "finished", list)  # it restores for ever
            await turn_until(worker, lambda: bool(lengths(worker).get("restorations")))
        assert lengths(worker).keys() == QUEUES
        await turn_until(worker, lambda: lengths(worker)["restorations"] == 0 and at_end(worker)())
        await turn_until(worker, lambda: not any(lengths(worker).values()))


QUEUES = {"records", "restorations", "claims", "commands", "checkpoints", "loose"}


def lengths(worker: Worker) -> dict[str, float]:
    """What the metrics say of each queue."""
    (family,) = worker.telemetry.metrics.consumer.queue_length.collect()
    return {sample.labels["queue"]: sample.value for sample in family.samples}


async def test_commands_are_read_no_further_while_nobody_takes_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inboxes, "_MOST", 1)
    came = asyncio.Event()
    inbox = Inbox(scene.connection, scene.names, 60, on_news=came.set)
    producer = BatchProducer(scene.connection, {CONTROL: scene.names.control})
    await producer.start(Deadline(20))
    await producer.send([Record(CONTROL, b"k", b"first")], Deadline(20))
    inbox.start()
    await came.wait()
    await producer.send([Record(CONTROL, b"k", b"second")], Deadline(20))
    await asyncio.sleep(1)
    assert [len(some) for some in inbox.take()] == [1, 0, 0]
    came.clear()
    await came.wait()
    assert [len(some) for some in inbox.take()] == [1, 0, 0]
    await asyncio.gather(inbox.stop(), producer.stop(Deadline(5)))
