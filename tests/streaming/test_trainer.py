"""Trainings run in real processes; what ends one costs no other."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil

from stream_lstm.candles.series import SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.features import FeatureSet
from stream_lstm.forecasting.outputs import TrainingRequest
from stream_lstm.models.training_set import TrainingSet
from stream_lstm.registry.models import ModelStore
from stream_lstm.streaming.trainer import TOO_YOUNG, Trained, Trainer, TrainerConfig

HOUR = 3_600_000
PLACE = ("candles", 0)


def key(symbol: str) -> SeriesKey:
    return SeriesKey("binance", symbol, "1h")


def training_set(symbol: str, candles: int = 140) -> TrainingSet:
    open_ms, bars = market([symbol], step_ms=HOUR, start_ms=0, candles=candles, seed=3)[symbol]
    bars[:, :4] /= bars[0, 0]
    return TrainingSet(
        series=str(key(symbol)),
        step_ms=HOUR,
        candles=bars.astype(np.float32),
        open_ms=open_ms,
        synthetic=np.zeros(candles, np.bool_),
        state=FeatureSet().start(),
        reference=1.0,
        horizons=(1, 4),
        seed=1,
    )


def request(symbol: str, need: str = "expired", due_ms: int = 0, place: object = PLACE) -> TrainingRequest:
    return TrainingRequest(key(symbol), place, need, due_ms)  # type: ignore[arg-type]


def endless(symbol: str) -> TrainingSet:
    """A fit that takes longer than any test waits."""
    return training_set(symbol, 9_000)


@asynccontextmanager
async def trainer(
    folder: Path, sets: Callable[[SeriesKey], TrainingSet | None] | None = None, **options: object
) -> AsyncIterator[Trainer]:
    chosen = {"model_type": "har", "store_url": folder.as_uri(), "nice": 0, **options}
    running = Trainer(TrainerConfig(**chosen), sets or (lambda series: training_set(series.symbol)))  # type: ignore[arg-type]
    running.start()
    try:
        yield running
    finally:
        await running.stop()
        assert children() == []


async def ended(running: Trainer, count: int = 1) -> list[Trained]:
    """Wait until so many trainings have ended."""
    found: list[Trained] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += running.finished()
            await asyncio.sleep(0.02)
    return found


def children() -> list[psutil.Process]:
    return [
        one for one in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(one.cmdline())
    ]


async def test_a_model_comes_back_as_it_is_in_the_store(tmp_path: Path) -> None:
    async with trainer(tmp_path) as running:
        running.submit(request("BTC"))
        (trained,) = await ended(running)
    assert trained.error is None
    assert trained.model is not None
    assert trained.path is not None
    assert trained.model.series == str(key("BTC"))
    assert ModelStore(tmp_path.as_uri()).load(trained.path)
    assert running.queued == 0


async def test_who_has_no_model_goes_first_and_then_who_has_waited_longest(tmp_path: Path) -> None:
    asked: list[str] = []

    def sets(series: SeriesKey) -> TrainingSet | None:
        asked.append(series.symbol)
        return training_set(series.symbol)

    async with trainer(tmp_path, sets) as running:
        for symbol, need, due in (
            ("late", "expired", 20),
            ("early", "expired", 10),
            ("newer", "no model", 40),
            ("new", "no model", 30),
        ):
            running.submit(request(symbol, need, due))
        assert len(await ended(running, 4)) == 4
    assert asked == ["new", "newer", "early", "late"]


async def test_a_killed_process_is_replaced_and_the_training_tried_again(tmp_path: Path) -> None:
    slow = True

    def sets(series: SeriesKey) -> TrainingSet | None:
        return endless(series.symbol) if slow else training_set(series.symbol)

    async with trainer(tmp_path, sets, model_type="lstm") as running:
        running.submit(request("BTC"))
        async with asyncio.timeout(20):
            while not children():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        slow = False
        os.kill(children()[0].pid, signal.SIGKILL)
        (failed,) = await ended(running)
        assert failed.model is None
        assert "exit code -9" in (failed.error or "")
        (again,) = await ended(running)
        assert again.model is not None


async def test_a_training_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    async with trainer(tmp_path, lambda series: endless(series.symbol), model_type="lstm", timeout_s=0.2) as (
        running
    ):
        running.submit(request("BTC"))
        (failed,) = await ended(running)
        assert failed.error == "no result within 0.2 s per series (training.timeout)"


async def test_a_series_that_cannot_be_fitted_spares_its_mates(tmp_path: Path) -> None:
    def sets(series: SeriesKey) -> TrainingSet | None:
        return training_set(series.symbol, 50 if series.symbol == "YOUNG" else 140)

    async with trainer(tmp_path, sets) as running:
        running.submit(request("YOUNG"))
        running.submit(request("BTC"))
        by_symbol = {one.request.series.symbol: one for one in await ended(running, 2)}
    assert by_symbol["BTC"].model is not None
    assert "50 candles, a model needs 100" in (by_symbol["YOUNG"].error or "")


async def test_a_series_that_began_anew_meanwhile_is_told_and_not_tried_again(tmp_path: Path) -> None:
    async with trainer(tmp_path, lambda series: None) as running:
        running.submit(request("BTC"))
        (gone,) = await ended(running)
        assert gone.error == TOO_YOUNG
        assert running.queued == 0
        assert children() == []


async def test_a_dropped_partition_is_not_heard_of_again(tmp_path: Path) -> None:
    async with trainer(tmp_path) as running:
        running.submit(request("BTC"))
        running.submit(request("ETH", place=("candles", 1)))
        running.drop(PLACE)
        (kept,) = await ended(running)
        assert kept.request.series.symbol == "ETH"
        assert running.finished() == []


async def test_a_process_is_replaced_when_it_has_worked_enough(tmp_path: Path) -> None:
    pids = set()
    async with trainer(tmp_path, recycle_after=1) as running:
        for symbol in ("BTC", "ETH"):
            running.submit(request(symbol))
            await ended(running)
            pids |= {one.pid for one in children()}
    assert len(pids) == 2


async def test_only_the_newest_models_stay_in_the_store(tmp_path: Path) -> None:
    length = 140

    def sets(series: SeriesKey) -> TrainingSet | None:
        return training_set(series.symbol, length)

    async with trainer(tmp_path, sets, keep_models=2) as running:
        for length in (140, 150, 160, 170):  # noqa: B007  read by `sets`
            running.submit(request("BTC"))
            await ended(running)
        stored = ModelStore(tmp_path.as_uri()).models(str(key("BTC")))
    assert len(stored) in {2, 3}  # the oldest goes a moment after the newest was sent


async def test_a_store_that_refuses_is_an_error_of_the_training(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    async with trainer(tmp_path) as running:
        running.submit(request("BTC"))
        (failed,) = await ended(running)
    assert failed.model is None
    assert "cannot save" in (failed.error or "")
