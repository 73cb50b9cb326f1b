"""For how long something has not been saved, as the metrics tell it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from stream_lstm.errors import StoreError
from stream_lstm.observability.metrics import Metrics
from stream_lstm.streaming.checkpointing import Checkpointer
from stream_lstm.streaming.telemetry import Telemetry
from tests.streaming.test_telemetry import an_engine, value

PLACE = ("candles", 0)
INTERVAL = 60.0


class Closing:
    def state(self) -> dict[str, Any]:
        return {}


@dataclass
class Partition:
    """What is read of one."""

    candles: int = 0
    live: bool = True
    between_records: bool = True
    next_offset: int = 7
    topic_partitions: int = 1
    last_record: tuple[int, int] = (6, 0)
    closing: Closing = field(default_factory=Closing)


class Publisher:
    def settled(self, place: tuple[str, int]) -> bool:
        return True


@dataclass
class Store:
    refuses: bool = False

    def save(self, checkpoint: Any) -> Any:
        if self.refuses:
            raise StoreError("no space")

        class Saved:
            size, stored = 10, ()

        return Saved()


class Scene:
    def __init__(self) -> None:
        self.now, self.partition, self.store = 1_000.0, Partition(), Store()
        self.metrics = Metrics.create()
        engine, _ = an_engine(20)
        parts: dict[str, Any] = {"store": self.store, "publisher": Publisher(), "engine": engine}
        self.checkpointer = Checkpointer(
            **parts,
            interval_s=INTERVAL,
            telemetry=Telemetry(self.metrics, 0.9),
            partitions={PLACE: self.partition},  # type: ignore[dict-item]
            events_read=lambda: {},
            clock=lambda: self.now,
        )

    async def later(self, seconds: float) -> float | None:
        """What the metric says after so many seconds."""
        self.now += seconds
        self.checkpointer.look()
        await asyncio.sleep(0.05)  # what is being written
        return value(self.metrics, "checkpoint_age_seconds", topic="candles", partition="0")


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_nothing_new_has_no_age(scene: Scene) -> None:
    assert await scene.later(0) == 0
    assert await scene.later(600) == 0


async def test_the_age_counts_from_the_first_candle_that_is_not_saved(scene: Scene) -> None:
    await scene.later(0)
    scene.partition.candles = 1
    assert await scene.later(10) == 0
    scene.partition.candles = 2
    assert await scene.later(20) == 20
    assert await scene.later(1) == 21


async def test_a_checkpoint_ends_it(scene: Scene) -> None:
    await scene.later(0)
    scene.partition.candles = 1
    await scene.later(1)
    assert await scene.later(INTERVAL) == INTERVAL  # due now, and written
    assert await scene.later(1) == 0


async def test_a_store_that_refuses_lets_it_grow(scene: Scene) -> None:
    scene.store.refuses = True
    await scene.later(0)
    scene.partition.candles = 1
    await scene.later(1)
    await scene.later(INTERVAL)
    assert await scene.later(INTERVAL * 3) == INTERVAL * 4
