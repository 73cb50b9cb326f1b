"""Trainings run in real processes; what ends one costs no other."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from stream_lstm.candles.series import SeriesKey
from stream_lstm.candles.synthetic import market
from stream_lstm.features import FeatureSet
from stream_lstm.forecasting.outputs import TrainingRequest
from stream_lstm.models.training_set import TrainingSet
from stream_lstm.registry.models import ModelStore
from stream_lstm.training.trainer import DROPPED, TOO_YOUNG, Trained, Trainer, TrainerConfig

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
            while not children():  # noqa: ASYNC110  nobody tells
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


async def test_a_fit_that_raises_spares_its_mates(tmp_path: Path) -> None:
    def sets(series: SeriesKey) -> TrainingSet | None:
        made = training_set(series.symbol)
        return replace(made, candles=made.candles[:, :2]) if series.symbol == "ODD" else made

    async with trainer(tmp_path, sets) as running:
        for symbol in ("ODD", "BTC"):
            running.submit(request(symbol))
        by_symbol = {one.request.series.symbol: one for one in await ended(running, 2)}
        assert len(children()) == 1
    assert by_symbol["BTC"].model is not None
    assert "Error" in (by_symbol["ODD"].error or "")


class Bomb:
    """Ends the process that reads it."""

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[int]]:
        return os._exit, (3,)


async def test_who_kills_the_process_is_tried_again_alone(tmp_path: Path) -> None:
    def sets(series: SeriesKey) -> TrainingSet | None:
        made = training_set(series.symbol)
        return replace(made, candles=Bomb()) if series.symbol == "BOMB" else made  # type: ignore[arg-type]

    async with trainer(tmp_path, sets) as running:
        for symbol in ("BOMB", "BTC"):
            running.submit(request(symbol))
        together = await ended(running, 2)
        assert all("exit code 3" in (one.error or "") for one in together)
        alone = {one.request.series.symbol: one for one in await ended(running, 2)}
    assert alone["BTC"].model is not None
    assert alone["BOMB"].model is None


async def test_a_training_from_before_its_partition_was_lost_is_dropped(tmp_path: Path) -> None:
    async with trainer(tmp_path) as running:
        running.submit(request("BTC"))
        async with asyncio.timeout(20):
            while running.queued and not children():  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.01)
        running.drop(PLACE)
        running.submit(request("ETH"))
        first, second = await ended(running, 2)
    assert (first.request.series.symbol, first.model, first.error) == ("BTC", None, DROPPED)
    assert (second.request.series.symbol, second.error) == ("ETH", None)


async def test_a_failed_training_of_a_lost_partition_is_not_tried_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def sets(series: SeriesKey) -> TrainingSet | None:
        asked.append(series.symbol)
        return training_set(series.symbol, 50 if series.symbol == "YOUNG" else 140)

    async with trainer(tmp_path, sets) as running:
        running.submit(request("YOUNG"))
        await ended(running)
        running.drop(PLACE)
        running.submit(request("BTC"))
        await ended(running)
        await asyncio.sleep(1.2)
    assert asked == ["YOUNG", "BTC"]


async def test_what_is_being_spawned_when_all_stops_is_killed_too(tmp_path: Path) -> None:
    for moment in (0.0, 0.002, 0.005, 0.01):
        async with trainer(tmp_path) as running:
            running.submit(request("BTC"))
            await asyncio.sleep(moment)


async def test_a_bug_in_a_slot_is_not_kept_to_itself(tmp_path: Path) -> None:
    def sets(series: SeriesKey) -> TrainingSet | None:
        raise ZeroDivisionError("a bug")

    async with trainer(tmp_path, sets) as running:
        running.submit(request("BTC"))
        with pytest.raises(ZeroDivisionError):
            await ended(running)


_A_LONG_FIT = """
import sys
sys.path.insert(0, sys.argv[1])
import test_trainer
from stream_lstm.training.process import TrainingProcess

if __name__ == "__main__":
    process = TrainingProcess("memory://", 0, 1)
    print(process._process.pid, flush=True)
    process.fit("classic", [test_trainer.endless("BTC")] * 8)
"""


@pytest.mark.slow
def test_a_process_does_not_outlive_its_parent_even_in_a_fit(tmp_path: Path) -> None:
    script = tmp_path / "long_fit.py"
    script.write_text(_A_LONG_FIT)
    command = [sys.executable, str(script), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        while child.cpu_times().user < 1.5:  # imported, and fitting
            assert child.is_running()
        parent.kill()
    child.wait(5)


async def test_a_dropped_partition_is_not_heard_of_again(tmp_path: Path) -> None:
    async with trainer(tmp_path) as running:
        running.submit(request("BTC"))
        running.submit(request("ETH", place=("candles", 1)))
        running.drop(PLACE)
        (kept,) = await ended(running)
        assert kept.request.series.symbol == "ETH"
        assert running.queued == 0


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
