"""The examples, run as users run them."""

import asyncio
import re
import sys
from itertools import islice
from pathlib import Path

import pytest

from stream_lstm.candles import moments
from stream_lstm.client import KafkaConnection
from tests.acceptance.conftest import installed
from tests.client.scripted import Installation, Worker

pytestmark = pytest.mark.kafka

EXAMPLES = Path(__file__).parents[2] / "examples"
HOUR = 3_600_000
CANDLES = 2_000
FROM_CALIBRATION = 0.04
"""How far targetPct may be off on average: it is learned from the first hundreds of candles on."""


async def example(name: str, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / name), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_the_paper_bot_realises_the_volatility_that_it_targets(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    market = moments.of_market(["BTCUSDT"], interval="1h", start_ms=1_500_000_000_000 // HOUR * HOUR, seed=11)
    async with installed(kafka, prefix, tmp_path, partitions=1) as application:
        words = ("BTCUSDT", "--kafka", kafka, "--prefix", prefix, "--candles", str(CANDLES))
        bot = await example("paper_trading.py", *words)
        assert bot.stdout is not None
        assert await bot.stdout.readline() == b"listening for BTCUSDT\n"
        await application.feed(list(islice(market, CANDLES + 200)))
        application.start_worker(horizons='["1h"]')
        async with asyncio.timeout(180):
            said = (await bot.stdout.read()).decode()
        assert await bot.wait() == 0, said
    print(said)
    found = re.search(r"over (\d+) candles: ratio ([\d.]+), standard error ([\d.]+)", said)
    assert found, said
    ratio, error = float(found[2]), float(found[3])
    assert int(found[1]) == CANDLES
    assert abs(ratio - 1) < 3 * error + FROM_CALIBRATION, said


async def test_the_ops_script_lists_retrains_and_cleans_up(kafka: str, prefix: str) -> None:
    installation = Installation(KafkaConnection(kafka), prefix)
    await installation.create()
    async with Worker(installation) as worker:
        ops = await example("ops.py", "--kafka", kafka, "--prefix", prefix, "--max-age-days", "7")
        out, _ = await ops.communicate()
    await installation.stop()
    assert out.decode().splitlines() == [
        "binance ETHUSDT 1h: lstm, up to 2024-10-05 11:59",
        "binance BTCUSDT 1h: lstm, up to 2024-10-05 10:59",
        "retraining BTCUSDT, 0 before it",
        "1 model deleted: BTCUSDT",
    ]
    assert [each.command for each in worker.asked] == ["list-models", "retrain", "cleanup-models"]
    assert worker.asked[-1].max_age_days == 7
