"""The client library against real workers."""

import asyncio
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from stream_lstm.candles import moments
from stream_lstm.client import Prediction, PredictionStream
from tests.acceptance.conftest import installed

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

HOUR = 3_600_000
SERIES, CANDLES, WARM_UP = 3, 220, 100
HORIZONS = ("1h", "4h")
SESSION = {"kafka__session_timeout": "3s", "kafka__heartbeat_interval": "300ms", "horizons": '["1h","4h"]'}


async def test_a_stream_has_no_gap_and_no_repeat_when_a_worker_is_killed(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    market = list(
        islice(
            moments.of_market(
                moments.symbols(SERIES), interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=5
            ),
            CANDLES,
        )
    )
    expected = {
        f"{candle.series}:{candle.close_ms}:{horizon}"
        for moment in market[WARM_UP - 1 :]
        for candle in moment
        for horizon in HORIZONS
    }
    async with (
        installed(kafka, prefix, tmp_path) as application,
        PredictionStream(application.connection, prefix=prefix) as stream,
    ):
        first = application.start_worker(**SESSION)
        found: list[Prediction] = []

        async def listen() -> None:
            async for prediction in stream:
                found.append(prediction)  # noqa: PERF401  others look at what there is so far

        async def said(count: int) -> None:
            async with asyncio.timeout(90):
                while len({each.id for each in found}) < count:  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(0.05)

        listening = asyncio.create_task(listen())
        feeding = asyncio.create_task(application.feed(market, speed=40))
        await said(len(expected) // 3)
        await asyncio.to_thread(first.kill)
        application.start_worker(**SESSION)
        await feeding
        await said(len(expected))
        await asyncio.sleep(1)  # for repeats that should not come
        listening.cancel()
    assert {each.id for each in found} == expected
    assert set(Counter((each.id, each.revision) for each in found).values()) == {1}
    for of_line in _by_line(found).values():
        assert of_line == sorted(of_line)


def _by_line(found: list[Prediction]) -> dict[tuple[str, str], list[int]]:
    lines: dict[tuple[str, str], list[int]] = {}
    for each in found:
        lines.setdefault((each.symbol, each.horizon), []).append(each.as_of)
    return lines
