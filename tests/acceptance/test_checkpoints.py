"""Workers killed in the middle go on from their checkpoints, and say to the bit what one engine says."""

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.forecasting.engine import Engine
from stream_lstm.models import registry
from stream_lstm.models.model import Model
from stream_lstm.settings import Settings
from tests.acceptance.test_restart import SESSION

pytestmark = pytest.mark.kafka

HOUR = 3_600_000
SERIES, CANDLES = 4, 900
SETTINGS = {
    "model": "har",
    "training__install": "barrier",
    "training__expiry": "72h",
    "history__rewind_candles": "100",
    "store__checkpoint_interval": "500ms",
    **SESSION,
}
OF_THE_MOMENT = ("generatedAt", "workerId")


def a_market() -> list[moments.Moment]:
    market = moments.of_market(
        moments.symbols(SERIES), interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=3
    )
    return list(itertools.islice(market, CANDLES))


def told_by_one_engine(market: list[moments.Moment]) -> dict[str, dict[str, str]]:
    """Predictions and scores by their ids, with every model installed before the next candle."""
    settings = Settings.model_validate({"model": "har", "training": {"expiry": "72h"}})
    engine, told = Engine(settings.engine()), dict[str, dict[str, str]]()
    for moment in market:
        for candle in moment:
            request = engine.admit(0, candle, None, live=True).request
            for said in engine.advance(0).values():
                for one in said.predictions:
                    told.setdefault("predictions", {})[one.body["id"]] = plain(one.body)
                for score in said.scores:
                    told.setdefault("scores", {})[score.body["id"]] = plain(score.body)
            data = None if request is None else engine.training_set(candle.series)
            if data is not None:
                (model,) = registry.fit("har", [data])
                assert isinstance(model, Model)
                engine.install(candle.series, model)
    return told


def plain(body: Any) -> str:
    whole = orjson.loads(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY))
    return orjson.dumps(
        {name: value for name, value in whole.items() if name not in OF_THE_MOMENT},
        option=orjson.OPT_SORT_KEYS,
    ).decode()


def saved_segments(folder: Path) -> int:
    return len(list((folder / "store" / "checkpoints").rglob("segment-*")))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_killed_workers_go_on_from_their_checkpoints_to_the_bit(application: Any) -> None:
    market = a_market()
    expected = told_by_one_engine(market)
    await application.feed(market[:100])
    worker = application.start_worker(**SETTINGS)
    feeding = asyncio.create_task(application.feed(market[100:], speed=25))
    chosen = random.Random(1)
    for part in (0.2, 0.4, 0.6, 0.8):
        wanted = int(part * len(expected["predictions"]))

        async def so_many(wanted: int = wanted) -> bool:
            return bool(await application.count("predictions") > wanted)

        await application.until(so_many)
        await asyncio.sleep(chosen.uniform(0, 1))
        await asyncio.to_thread(worker.kill)
        worker = application.start_worker(**SETTINGS)
    await feeding

    async def all_is_said() -> bool:
        return (
            bool(await application.count("predictions") >= len(expected["predictions"]))
            and {orjson.loads(record.value)["id"] for record in await application.read("scores")}
            >= expected["scores"].keys()
        )

    await application.until(all_is_said)
    for logical, of_one in expected.items():
        said = [orjson.loads(record.value) for record in await application.read(logical)]
        assert {one["id"] for one in said} == of_one.keys()
        different = [one["id"] for one in said if plain(one) != of_one[one["id"]]]
        assert different == [], f"{logical}: {len(different)} of {len(said)} are different"
    reasons = [
        orjson.loads(record.value)["data"]["reason"]
        for record in await application.read("model-events")
        if orjson.loads(record.value)["type"] == "partition.restored"
    ]
    assert sum("checkpoint at" in reason for reason in reasons) >= 4, reasons
