"""Closed candles per second through one worker: a topic of Kafka in, four horizons and scores out.

Every series has a trained model. The worker is started on a topic that is full already, and the rate is
taken from the timestamps of its predictions in the log, without the first and the last tenth.
"""

import asyncio
import time
from typing import Final

import report
from installation import HORIZONS, WARM_UP, Installation, installation, synthetic

_SERIES: Final = 1_000
_HISTORY: Final = 130
"""Candles per series with which the models are trained, in a first run."""
_PARTITIONS: Final = 6
_GOAL: Final = 5_000.0


async def measure(series: int, candles: int) -> report.Row:
    """One row: fill the topic while no worker runs, then let one work it off."""
    market = synthetic(series, _HISTORY + candles)
    async with installation(_PARTITIONS) as place:
        known = (_HISTORY - WARM_UP + 1) * series * HORIZONS
        await _train(place, market[:_HISTORY], known, series)
        await place.feed(market[_HISTORY:])
        async with place.worker(training__expiry="3650d", history__candles=2000) as worker:
            began = time.monotonic()
            await place.until_said(known + candles * series * HORIZONS, worker)
            seconds = time.monotonic() - began
        times = await place.times_since(known)
    tenth = len(times) // 10
    rate = (len(times) - 2 * tenth) / HORIZONS / ((times[-tenth - 1] - times[tenth]) / 1000)
    return {
        "what": f"{series} series, {HORIZONS} horizons, {_PARTITIONS} partitions",
        "candles": candles * series,
        "closed_candles_per_s": rate,
        "us_per_candle": 1e6 / rate,
        "seconds_with_start_and_restore": seconds,
    }


async def _train(place: Installation, market: list, known: int, series: int) -> None:
    """Let a first worker train a model for every series, and stop it."""
    await place.feed(market)
    async with place.worker(training__expiry="3650d", training__processes=2, history__candles=2000) as worker:
        await place.until_said(known, worker)
        while (await place.events("model.trained")) < series:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(1)


def main() -> None:
    """Measure and publish."""
    report.on_one_native_thread(pinned=False)
    options = report.arguments(__doc__ or "")
    series, candles = (100, 40) if options.quick else (_SERIES, 60)
    row = asyncio.run(measure(series, candles))
    told = report.Report("throughput", rows=[row])
    told.ratios["closed_candles_per_s"] = report.Ratio(float(row["closed_candles_per_s"] or 0), _GOAL)
    told.publish(options.json)


if __name__ == "__main__":
    main()
