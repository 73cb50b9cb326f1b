"""A wrong pin makes dead letters of one series; when it is gone, `dlq replay` brings the forecasts."""

import asyncio
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_lstm.candles import moments
from stream_lstm.candles.encode import canonical
from stream_lstm.kafka.bound_process import BoundProcess
from tests.acceptance.test_producers import okx

pytestmark = pytest.mark.kafka

HOUR = 3_600_000
CANDLES = 120


def pinned(application: Any, format: str) -> str:
    return f'[{{"topic": "{application.candles}", "format": "{format}"}}]'


async def command(application: Any, folder: Path, *words: str) -> dict[str, Any]:
    """What `stream-lstm … --json` says, run as a process of its own."""
    options = [part for key, value in application.settings.items() for part in ("--set", f"{key}={value}")]
    log = folder / "command.log"
    process = BoundProcess([sys.executable, "-m", "stream_lstm", *words, "--json", *options], log)

    async def has_ended() -> bool:
        return process.exit_code is not None

    await application.until(has_ended)
    assert process.exit_code == 0, log.read_text()
    found: dict[str, Any] = orjson.loads(log.read_bytes().splitlines()[-1])
    return found


def a_market() -> list[tuple[bytes, int]]:
    """Two series in one partition: one as we write candles, one as OKX does."""
    market = moments.of_market(["A", "B"], interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=5)
    return [
        (value, ours.close_ms)
        for ours, theirs in islice(market, CANDLES)
        for value in (canonical(ours), orjson.dumps(okx(theirs, True, theirs.close_ms)))
    ]


async def predicted(application: Any, symbol: str) -> list[str]:
    said = [orjson.loads(one.value) for one in await application.read("predictions")]
    return [one["id"] for one in said if one["symbol"] == symbol]


@pytest.mark.slow
async def test_candles_refused_by_a_wrong_pin_are_forecast_after_a_replay(
    application: Any, tmp_path: Path
) -> None:
    """The pinned worker goes on with what fits, so that its checkpoint lies behind what it has refused."""
    forecasts = (CANDLES - 99) * 4
    await application.send(a_market())
    wrong = application.start_worker(inputs=pinned(application, "canonical"))

    async def all_are_refused() -> bool:
        refused = await application.count("candles.dlq") >= CANDLES
        return refused and len(await predicted(application, "A")) >= forecasts

    await application.until(all_are_refused)
    await asyncio.to_thread(wrong.stop, 20)
    shown = await command(application, tmp_path, "dlq", "show")
    assert [(one["reason"], one["letters"]) for one in shown["reasons"]] == [("unknown_shape", CANDLES)]
    assert "not the canonical that the input pins" in shown["reasons"][0]["samples"][0]["message"]

    application.start_worker()
    done = await command(application, tmp_path, "dlq", "replay", "--yes", "--reason", "unknown_shape")
    assert done["records"] == CANDLES

    async def all_are_forecast() -> bool:
        return len(await predicted(application, "SOL-USDT")) >= forecasts

    await application.until(all_are_forecast)
    for symbol in ("A", "SOL-USDT"):
        said = await predicted(application, symbol)
        assert len(set(said)) == len(said) == forecasts
    assert (await command(application, tmp_path, "dlq", "replay", "--yes"))["records"] == 0
    assert (await command(application, tmp_path, "dlq", "show"))["replayed"] == CANDLES
