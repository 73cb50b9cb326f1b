"""Which models a replay installs, and what happens when one cannot be had."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from stream_lstm.candles.formats import NO_PIN
from stream_lstm.candles.series import SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.checkpoints.store import CheckpointStore
from stream_lstm.errors import BrokerError, StoreError
from stream_lstm.features import FeatureSet
from stream_lstm.kafka.connection import KafkaConnection
from stream_lstm.models.files import to_safetensors
from stream_lstm.models.registry import fit
from stream_lstm.models.training_set import TrainingSet
from stream_lstm.registry.claims import Claims
from stream_lstm.registry.models import ModelStore
from stream_lstm.registry.objects import Objects
from stream_lstm.streaming.changes import Position
from stream_lstm.streaming.facts import Fact, encode
from stream_lstm.streaming.replay_facts import models_of, needed
from stream_lstm.streaming.restore import Loaded, RestoreConfig, Restorer
from stream_lstm.streaming.saved_state import SavedStates

CreateTopic = Callable[..., Awaitable[str]]
Produce = Callable[..., Awaitable[None]]
HOUR = 3_600_000
BTC = SeriesKey("binance", "BTC", "1h")
ETH = SeriesKey("binance", "ETH", "1h")


def fact(series: SeriesKey, offset: int, path: str = "m", topic: str = "candles", **more: Any) -> Fact:
    return Fact(
        kind=more.pop("kind", "model.trained"),
        series=series,
        topic=topic,
        partition=0,
        offset=offset,
        **{"body": {"path": path}, **more},
    )


def test_a_replay_needs_the_last_model_before_it_and_all_after() -> None:
    facts = [fact(BTC, 5), fact(BTC, 10), fact(ETH, 7), fact(BTC, 20), fact(ETH, 30)]
    assert [(one.series.symbol, one.offset) for one in needed(facts, Position(10, 0), {})] == [
        ("BTC", 10),
        ("ETH", 7),
        ("BTC", 20),
        ("ETH", 30),
    ]


def test_a_model_that_came_in_the_middle_of_a_record_comes_after_it() -> None:
    found = needed([fact(BTC, 5), fact(BTC, 10, candles=1)], Position(10, 0), {})
    assert found[-1].candles == 1


def test_facts_of_a_newer_version_pass_by() -> None:
    assert needed([fact(BTC, 5, kind="series.renamed")], Position(10, 0), {}) == []


def test_a_checkpoint_s_model_answers_and_those_after_it_are_installed() -> None:
    facts = [fact(BTC, offset, body={"modelId": f"m{offset}"}) for offset in (2, 5, 10, 12)]
    found = needed([*facts, fact(ETH, 3)], Position(10, 0), {BTC: "m5"})
    assert found == [facts[2], fact(ETH, 3), facts[3]]


def test_a_checkpoint_s_model_that_no_fact_names_is_replaced_by_the_last_before() -> None:
    found = needed([fact(BTC, 2, body={"modelId": "m2"})], Position(10, 0), {BTC: "gone"})
    assert [one.offset for one in found] == [2]


def kinds(found: list[Fact]) -> list[tuple[str, int]]:
    return [(one.kind.partition(".")[2], one.offset) for one in found]


def test_of_pauses_before_the_start_the_last_one_holds() -> None:
    facts = [
        fact(BTC, at, kind=f"series.{kind}") for at, kind in ((1, "paused"), (2, "resumed"), (3, "paused"))
    ]
    assert kinds(needed(facts, Position(10, 0), {})) == [("paused", 3)]


def test_a_wish_for_a_training_ends_with_the_next_model() -> None:
    wish = fact(BTC, 4, kind="model.retrain_requested")
    assert kinds(needed([fact(BTC, 2), wish], Position(10, 0), {})) == [
        ("trained", 2),
        ("retrain_requested", 4),
    ]
    assert kinds(needed([wish, fact(BTC, 6)], Position(10, 0), {})) == [("trained", 6)]


def of_experiment(kind: str, offset: int, id: str = "e1", **body: Any) -> Fact:
    return fact(BTC, offset, kind=f"experiment.{kind}", body={"experimentId": id, **body})


def challengers(offset: int, model_id: str) -> Fact:
    return fact(BTC, offset, body={"modelId": model_id, "role": "challenger"})


def test_of_experiments_before_the_start_the_one_that_runs_is_begun_with_its_last_challenger() -> None:
    facts = [
        fact(BTC, 1, body={"modelId": "m1"}),
        of_experiment("started", 2, "e0"),
        challengers(3, "c0"),
        of_experiment("stopped", 4, "e0"),
        of_experiment("started", 5),
        challengers(6, "c1"),
        challengers(7, "c2"),
    ]
    assert kinds(needed(facts, Position(10, 0), {})) == [
        ("trained", 1),
        ("stopped", 4),
        ("started", 5),
        ("trained", 7),
    ]


def test_a_challenger_that_was_promoted_before_the_start_answers() -> None:
    facts = [
        fact(BTC, 1, body={"modelId": "m1"}),
        of_experiment("started", 2),
        challengers(3, "c1"),
        of_experiment("result", 4, outcome="promoted", challenger="har"),
    ]
    model, result = needed(facts, Position(10, 0), {})
    assert (model.body, result.offset) == ({"modelId": "c1", "role": "champion"}, 4)
    later = of_experiment("result", 6, "e2", outcome="rejected", challenger="lstm")
    assert kinds(needed([*facts, later], Position(10, 0), {}))[1:] == [("result", 4), ("result", 6)]
    assert kinds(needed(facts, Position(10, 0), {BTC: "c1"})) == [("result", 4)], "the checkpoint has it"


def test_a_model_that_was_deleted_before_the_start_is_not_installed() -> None:
    deleted = fact(BTC, 5, kind="model.deleted")
    assert needed([fact(BTC, 2), deleted], Position(10, 0), {}) == []
    assert kinds(needed([fact(BTC, 2), deleted, fact(BTC, 8)], Position(10, 0), {})) == [("trained", 8)]


def test_a_model_that_answers_in_the_checkpoint_and_was_deleted_since_is_taken_away() -> None:
    facts = [fact(BTC, 2, body={"modelId": "m2"}), fact(BTC, 10, kind="model.deleted")]
    found = needed(facts, Position(10, 0), {BTC: "m2"})
    assert kinds(found) == [("deleted", 10)]
    assert models_of(("candles", 0), {BTC: "m2", ETH: "m3"}, found) == [
        fact(ETH, 0, path="models/binance%3AETH%3A1h/m3.safetensors")
    ]


def test_facts_older_than_what_was_read_are_in_the_checkpoint() -> None:
    newer = fact(BTC, 8, body={"modelId": "m8"})
    assert needed([newer], Position(10, 0), {BTC: "m2"}) == [newer]


def test_every_fact_after_the_start_is_applied_in_its_place() -> None:
    facts = [fact(BTC, 12, kind="model.deleted"), fact(BTC, 13), fact(BTC, 14, kind="series.paused")]
    assert needed(facts, Position(10, 0), {}) == facts


class Committed:
    """The committed offset, after some failures."""

    def __init__(self, offset: int | None, failures: int = 0) -> None:
        self.offset, self.failures = offset, failures

    async def open(self, partition: tuple[str, int]) -> int | None:
        if self.failures:
            self.failures -= 1
            raise BrokerError("no coordinator") if self.failures % 2 else RuntimeError("a surprise")
        return self.offset


@asynccontextmanager
async def restorer(
    connection: KafkaConnection,
    events: str,
    store: Path | ModelStore,
    opener: Committed,
    told: list[Any],
    checkpoints: CheckpointStore | None = None,
    **options: Any,
) -> AsyncIterator[Restorer]:
    running = Restorer(
        RestoreConfig(**options),
        connection,
        events,
        opener,
        ModelStore(store.as_uri()) if isinstance(store, Path) else store,
        SavedStates(checkpoints, "fingerprint"),
        Claims(Objects("memory://"), "group"),
        lambda topic: NO_PIN,
        on_end=lambda: None,
        tell=lambda *event: told.append(event),
    )
    yield running
    await running.stop()


async def loaded(running: Restorer, topic: str) -> Loaded:
    running.begin([(topic, 0)])
    async with asyncio.timeout(40):
        while not (finished := running.finished()):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.02)
    return finished[0]


def saved_model(store: Path) -> str:
    open_ms, bars = market(["BTC"], step_ms=HOUR, start_ms=0, candles=120, seed=1)["BTC"]
    bars[:, :4] /= bars[0, 0]
    data = TrainingSet(
        str(BTC),
        HOUR,
        bars.astype(np.float32),
        open_ms,
        np.zeros(120, np.bool_),
        FeatureSet().start(),
        1.0,
        (1,),
        0,
    )
    model = fit("har", [data])[0]
    return ModelStore(store.as_uri()).save(str(BTC), model.model_id, to_safetensors(model))


@pytest.fixture
async def candles(create_topic: CreateTopic, produce: Produce) -> str:
    """Twenty hourly candles."""
    topic = await create_topic()
    body = {"exchange": "binance", "symbol": "BTC", "interval": "1h", "volume": 1.0, "closed": True}
    body |= dict.fromkeys(("open", "high", "low", "close"), 1.0)
    times = [1_600_000_000_000 // HOUR * HOUR + hour * HOUR for hour in range(20)]
    values = [orjson.dumps(body | {"openTime": time}) for time in times]
    await produce(topic, values, timestamps=[time + HOUR - 1 for time in times])
    return topic


pytestmark = pytest.mark.kafka


async def test_models_are_loaded_and_a_damaged_one_is_put_aside_and_told(
    connection: KafkaConnection, candles: str, create_topic: CreateTopic, produce: Produce, tmp_path: Path
) -> None:
    events, good = await create_topic(), saved_model(tmp_path)
    damaged = tmp_path / "models" / "damaged.safetensors"
    damaged.write_bytes((tmp_path / good).read_bytes()[:-7])
    facts = [
        fact(BTC, 3, good, candles),
        fact(BTC, 12, "models/damaged.safetensors", candles),
        fact(BTC, 15, "models/missing.safetensors", candles),
        fact(ETH, 12, good, "another topic"),
    ]
    await produce(events, [encode(one, 1) for one in facts])
    told: list[Any] = []
    async with restorer(connection, events, tmp_path, Committed(18), told, rewind_candles=10) as running:
        found = await loaded(running, candles)
    assert [(one.at.offset, one.series, one.kind) for one in found.changes] == [
        (3, BTC, "model.trained"),
        (15, BTC, "model.deleted"),
    ]
    assert (found.start.seek, found.start.live_from, found.rebuilt) == (7, 18, True)
    assert [(kind, series) for kind, _, series, _ in told] == [("model.quarantined", BTC)]
    assert not damaged.exists()
    assert (tmp_path / "quarantine" / "damaged.safetensors").exists()


async def test_a_model_of_other_features_is_not_loaded(
    connection: KafkaConnection, candles: str, create_topic: CreateTopic, produce: Produce, tmp_path: Path
) -> None:
    events, path = await create_topic(), saved_model(tmp_path)
    await produce(events, [encode(fact(BTC, 3, path, candles), 1)])
    told: list[Any] = []
    async with restorer(connection, events, tmp_path, Committed(18), told, features=("ranges",)) as running:
        found = await loaded(running, candles)
    assert found.changes == []
    assert told == []
    assert (tmp_path / path).exists()


async def test_a_damaged_model_that_cannot_even_be_moved_costs_the_partition_nothing(
    connection: KafkaConnection, candles: str, create_topic: CreateTopic, produce: Produce, tmp_path: Path
) -> None:
    events = await create_topic()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "damaged.safetensors").write_bytes(b"damaged")
    (tmp_path / "quarantine").write_text("a file where the folder should be")
    await produce(events, [encode(fact(BTC, 3, "models/damaged.safetensors", candles), 1)])
    told: list[Any] = []
    async with restorer(connection, events, tmp_path, Committed(18), told) as running:
        found = await loaded(running, candles)
    assert found.changes == []
    assert [kind for kind, _, _, _ in told] == ["model.quarantined"]


class Down(ModelStore):
    """A store that cannot be reached for a while."""

    def __init__(self, failures: int) -> None:
        super().__init__("memory://")
        self.failures, self.asked = failures, 0

    async def load_async(self, path: str) -> bytes:
        self.asked += 1
        if self.failures:
            self.failures -= 1
            raise StoreError("no route to it")
        return await super().load_async(path)


async def test_while_the_store_is_down_it_is_asked_for_a_few_models_again_and_again(
    connection: KafkaConnection, candles: str, create_topic: CreateTopic, produce: Produce
) -> None:
    events, store = await create_topic(), Down(failures=16)
    await produce(events, [encode(fact(BTC, at, f"models/{at}", candles), 1) for at in range(40)])
    async with restorer(connection, events, store, Committed(18), [], rewind_candles=1) as running:
        found = await loaded(running, candles)
    assert {one.kind for one in found.changes} == {"model.deleted"}  # there is none; that is known now
    before = sum(at <= found.start.seek for at in range(40))
    assert store.asked == 16 + 40 - before + 1


async def test_a_pause_comes_before_the_first_attempt(
    connection: KafkaConnection, candles: str, create_topic: CreateTopic, tmp_path: Path
) -> None:
    opener = Committed(5, failures=2)
    async with restorer(connection, await create_topic(), tmp_path, opener, []) as running:
        running.begin([(candles, 0)], pause_s=30)
        await asyncio.sleep(0.2)
        assert opener.failures == 2
        assert running.running == 1


@pytest.mark.parametrize(
    ("committed", "start_at", "seek", "live_from", "rebuilt"),
    [
        (None, "earliest", 0, 0, False),
        (None, "latest", 0, 20, False),
        (18, "latest", 0, 18, False),
        (99, "latest", 0, 0, True),
    ],
)
async def test_where_a_partition_begins(
    connection: KafkaConnection,
    candles: str,
    create_topic: CreateTopic,
    tmp_path: Path,
    committed: int | None,
    start_at: str,
    seek: int,
    live_from: int,
    rebuilt: bool,
) -> None:
    events = await create_topic()
    opener = Committed(committed)
    async with restorer(connection, events, tmp_path, opener, [], start_at=start_at) as running:
        found = await loaded(running, candles)
    assert (found.start.seek, found.start.live_from, found.rebuilt) == (seek, live_from, rebuilt)


async def test_a_restoration_is_tried_again_whatever_went_wrong(
    connection: KafkaConnection, candles: str, create_topic: CreateTopic, tmp_path: Path
) -> None:
    events, opener = await create_topic(), Committed(5, failures=2)
    async with restorer(connection, events, tmp_path, opener, []) as running:
        assert (await loaded(running, candles)).start.live_from == 5
        assert running.running == 0


async def test_a_cancelled_restoration_is_not_heard_of(
    connection: KafkaConnection, candles: str, create_topic: CreateTopic, tmp_path: Path
) -> None:
    events = await create_topic()
    async with restorer(connection, events, tmp_path, Committed(5), []) as running:
        running.begin([(candles, 0)])
        running.cancel([(candles, 0)])
        await asyncio.sleep(1)
        assert running.finished() == []
        assert running.running == 0
