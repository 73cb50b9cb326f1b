"""The gateway in front of real workers."""

import asyncio
import sys
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.client import ModelAdmin
from tests.acceptance.conftest import installed
from tests.gateway.serving import Client, gateway

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

EXAMPLES = Path(__file__).parents[2] / "examples"
HOUR = 3_600_000
SYMBOLS = moments.symbols(3)


@pytest.fixture
async def application(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Any]:
    """Two workers that have trained a model for each of three series."""
    market = moments.of_market(
        [*SYMBOLS, "YOUNG"], interval="1h", start_ms=1_700_000_000_000 // HOUR * HOUR, seed=5
    )
    candles = [
        [candle for candle in moment if candle.series.symbol != "YOUNG" or hour > 250]
        for hour, moment in enumerate(islice(market, 300))
    ]
    async with installed(kafka, prefix, tmp_path) as application:
        await application.feed(candles)
        for _ in range(2):
            application.start_worker(training__expiry="30d")

        async def trained() -> bool:
            kinds = [orjson.loads(record.value)["type"] for record in await application.read("model-events")]
            return kinds.count("model.trained") >= 3

        await application.until(trained)
        yield application


@pytest.fixture
async def client(application: Any) -> AsyncIterator[Client]:
    admin = ModelAdmin(application.connection, prefix=application.names.prefix, timeout=30)
    async with admin, gateway(admin) as client:
        yield client


async def test_the_whole_life_of_a_model_over_http(application: Any, client: Client) -> None:
    listed = (await client.get("/api/ml/models")).data
    assert sorted(row["symbol"] for row in listed["models"]) == sorted(SYMBOLS)
    for horizon in ("1h", "1d"):
        asked = {"symbol": SYMBOLS[0], "horizon": horizon, "confidence": 0.9}
        told = (await client.post("/api/ml/predict/lstm", asked)).data
        assert (told["modelInfo"]["modelType"], told["horizon"]) == ("lstm", horizon)
        assert told["predictions"][-1]["confidence"] == 0.9
    told = (await client.post("/api/ml/predict", asked)).data
    assert told["modelInfo"]["modelType"] == "hybrid"
    told = await client.post("/api/ml/predict/lstm", {"symbol": "NOBODY", "horizon": "1h"})
    assert (told.status, told.code) == (500, "LSTM_PREDICTION_FAILED")
    told = await client.post("/api/ml/predict/lstm", {"symbol": "YOUNG", "horizon": "1h"})
    assert (told.status, told.code) == (500, "LSTM_PREDICTION_FAILED")
    told = await client.post("/api/ml/predict/lstm", {"symbol": SYMBOLS[0], "horizon": "3d"})
    assert (told.status, told.code) == (400, "INVALID_REQUEST")  # it is not published
    batch = {"symbols": [*SYMBOLS, "NOBODY"], "horizon": "4h"}
    told = (await client.post("/api/ml/predict/batch", batch)).data
    assert (told["count"], [each["symbol"] for each in told["failed"]]) == (3, ["NOBODY"])
    assert (await client.post("/api/ml/regime", {"symbol": SYMBOLS[0]})).data["regimeHistory"]
    assert (await client.post("/api/ml/regime", {"symbol": "NOBODY"})).code == "SERIES_NOT_FOUND"
    told = (await client.get(f"/api/ml/models/{SYMBOLS[0]}/stats")).data
    assert (told["modelType"], told["symbol"]) == ("LSTM", SYMBOLS[0])
    assert told["mae"] > 0
    told = await client.get("/api/ml/models/NOBODY/stats")
    assert (told.status, told.code) == (400, "MODEL_NOT_FOUND")
    told = await client.delete(f"/api/ml/models/{SYMBOLS[0]}")
    assert told.data["deletedCount"] == 1
    assert (await client.delete(f"/api/ml/models/{SYMBOLS[0]}")).data["deletedCount"] == 0
    assert (await client.delete("/api/ml/models/NOBODY")).data["deletedCount"] == 0
    assert (await client.get(f"/api/ml/models/{SYMBOLS[0]}/stats")).code == "MODEL_NOT_FOUND"
    told = await client.post("/api/ml/models/cleanup", {"maxAgeDays": 36_000})
    assert told.data["deletedCount"] == 0
    told = await client.post("/api/ml/models/cleanup", {"maxAgeDays": 30, "modelType": "LSTM"})
    assert {one["symbol"] for one in told.data["models"]} == set(SYMBOLS[1:])
    assert (await client.get("/api/ml/models")).data["count"] == 0
    health = (await client.get("/api/ml/health")).body
    assert health["data"]["components"]["worker"] is True


async def test_the_ops_script_tidies_up_at_real_workers(application: Any) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / "ops.py"), "--kafka", application.connection.bootstrap_servers),
        *("--prefix", application.names.prefix, "--max-age-days", "36000"),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    lines = out.decode().splitlines()
    assert process.returncode == 0
    assert len([line for line in lines if ": lstm, up to 2023-11-2" in line]) == 3, lines
    assert any(line.startswith("retraining ") for line in lines)
