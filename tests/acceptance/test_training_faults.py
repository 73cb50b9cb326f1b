"""What befalls a worker's training: the old model stays, log and event say why, and it is tried again."""

import asyncio
import itertools
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.models import files
from tests.acceptance.conftest import Application
from tests.acceptance.planted import Planted

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HOUR = 3_600_000
SERIES, HORIZONS, WARM_UP, CANDLES = 2, 4, 100, 220
SETTINGS = {"model": "har", "training__expiry": "24h", "training__expiry_jitter": "0"}

FAULTS = {
    "raises": "ZeroDivisionError('a planted bug')",
    "not a number": "gave a number in 'skip_bias' that is not finite",
    "out of memory": "the training process lacked memory: Unable to allocate",
    "killed": "the training process ended (exit code -9)",
    "hangs": "no result within 2 s per series (training.timeout)",
    "cannot start": "the training process ended (exit code 3)",
}
OF_THE_FIT = ("raises", "not a number")
"""The same candles would give them again; for the others, a process is to blame."""


def a_market() -> list[moments.Moment]:
    start = 1_600_000_000_000 // HOUR * HOUR
    market = moments.of_market(moments.symbols(SERIES), interval="1h", start_ms=start, seed=4)
    return list(itertools.islice(market, CANDLES))


async def predictions(application: Application) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in await application.read("predictions")]


async def so_many(application: Application, candles: int) -> None:
    """Wait until that many candles of each series are answered."""

    async def said() -> bool:
        return await application.count("predictions") >= (candles - WARM_UP + 1) * SERIES * HORIZONS

    await application.until(said)


async def trained(application: Application, times: int) -> None:
    async def said() -> bool:
        return len(await application.events("model.trained")) >= times

    await application.until(said)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_costs_no_prediction_and_is_tried_again(
    application: Application, tmp_path: Path, fault: str
) -> None:
    market, planted = a_market(), Planted(tmp_path)
    await application.feed(market[:110])
    limits = {"training__timeout": "2s"} if fault == "hangs" else {}
    # A process that cannot start must be asked for: one training each.
    worker = application.start_worker(under=planted.under, training__recycle_after="1", **SETTINGS, **limits)
    await trained(application, SERIES)
    await application.feed(market[110:112])
    await so_many(application, 112)
    planted.be(fault)
    for at in range(112, 180, 4):
        await application.feed(market[at : at + 4])
        await so_many(application, at + 4)
    await application.logged(FAULTS[fault], times=2)
    log = application.log_of(0)
    assert ("again with its next candle: " if fault in OF_THE_FIT else "failed, again in 1 s: ") in log
    assert all("training.process:" in line for line in log.splitlines() if "be fitted" in line)
    errors = {event["data"]["error"] for event in await application.events("model.training_failed")}
    assert any(FAULTS[fault] in error for error in errors), errors
    last = (await predictions(application))[-1]
    assert last["modelInfo"]["modelType"] == "har", "the old model stays"
    before = len(await application.events("model.trained"))
    planted.be("")
    await application.feed(market[180:])
    await so_many(application, CANDLES)
    await trained(application, before + SERIES)
    assert worker.exit_code is None


@pytest.mark.timeout(300)
async def test_trainings_of_a_minute_cost_no_heartbeat(application: Application, tmp_path: Path) -> None:
    market, planted = a_market(), Planted(tmp_path)
    await application.feed(market[:110])
    application.start_worker(under=planted.under, training__processes="2", **SETTINGS)
    await trained(application, SERIES)
    await so_many(application, 110)
    before = rebalances(application)
    planted.be("takes a minute")
    for at in range(110, CANDLES):
        await application.feed([market[at]])
        await so_many(application, at + 1)
        await asyncio.sleep(0.6)
    await trained(application, 2 * SERIES)
    took = [event["data"]["trainingDuration"] for event in await application.events("model.trained")]
    assert max(took) > 59_000
    assert rebalances(application) == before == 1
    assert "eartbeat" not in application.log_of(0), "aiokafka tells of every one that fails"


def rebalances(application: Application) -> float:
    address = re.search(r"health and metrics on (http://\S+)", application.log_of(0))
    assert address is not None
    told = urllib.request.urlopen(f"{address[1]}/metrics", None, 5).read().decode()
    found = re.search(r"^stream_lstm_consumer_rebalances_total (\S+)$", told, re.MULTILINE)
    assert found is not None
    return float(found[1])


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    at = len(data) * 3 // 4
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def of_a_newer_version(data: bytes) -> bytes:
    model = files.from_safetensors(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "FORMAT", files.FORMAT + 1)
        return files.to_safetensors(model)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (cut, "is put aside: not a model file"),
    "flipped": (flipped, "is put aside: a model's content has SHA-256"),
    "newer": (of_a_newer_version, "not loaded, the series is trained anew when due: model of"),
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_model_file_that_cannot_be_used_is_named_and_the_series_trained_anew(
    application: Application, damage: str
) -> None:
    spoil, says = DAMAGES[damage]
    market = a_market()
    await application.feed(market[:120])
    first = application.start_worker(**SETTINGS)
    await trained(application, SERIES)
    await so_many(application, 120)
    await asyncio.to_thread(first.stop, 20)
    models = list((application.folder / "store" / "models").rglob("*.safetensors"))
    assert len(models) >= SERIES
    for path in models:
        path.write_bytes(spoil(path.read_bytes()))
    second = application.start_worker(**SETTINGS)
    await application.logged(says, worker=1)
    await application.feed(market[120:])
    await so_many(application, CANDLES)
    assert second.exit_code is None
    assert (await predictions(application))[-1]["modelInfo"]["modelType"] == "har"
    aside = await application.events("model.quarantined")
    if damage == "newer":
        assert "retrain the series, or run the version that saved it" in application.log_of(1)
        assert aside == []
    else:
        assert {event["data"]["path"].split("/")[0] for event in aside} == {"quarantine"}
