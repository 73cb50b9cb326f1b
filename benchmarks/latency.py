"""From record received to prediction acknowledged, one candle in flight, while two trainings run.

Eight series take turns, and with trainings a model expires with every candle, so that both training
processes always have work. Figures are the worker's own histogram between two scrapes, interpolated within
a bucket. How late the worker's loop answers stands beside an idle loop in the same minute.
"""

import asyncio
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Final, NamedTuple

import report
from installation import HORIZONS, Installation, installation, synthetic
from prometheus_client.parser import text_string_to_metric_families

from stream_lstm.candles.moments import Moment
from stream_lstm.demo.latency import Histogram
from stream_lstm.kafka.tail import Tail
from stream_lstm.kafka.topics import CANDLES, PREDICTIONS
from stream_lstm.streaming.feeder import Feeder
from stream_lstm.streaming.worker_process import WorkerProcess

_SERIES: Final = 8
_HISTORY: Final = 4_000
_RUNS: Final = 5
_SECONDS: Final = 60.0
_TARGET_MS: Final = 15.0
_TURN_TARGET_MS: Final = 50.0
_IDLE: Final = """
import asyncio, sys, time
async def watch(seconds):
    worst, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        before = time.perf_counter()
        await asyncio.sleep(1)
        worst = max(worst, time.perf_counter() - before - 1)
    print(worst)
asyncio.run(watch(float(sys.argv[1])))
"""
"""A loop that only looks, once a second, how late it is called."""


class Scrape(NamedTuple):
    """Histograms of a worker, by name, and what it says of its models."""

    latency: Histogram
    turns: Histogram
    loop: Histogram
    trainings: float
    """Models trained since its start."""
    answered: float
    """Series that have a model."""


async def scraped(worker: WorkerProcess) -> Scrape:
    """Read a worker's metrics."""
    assert worker.address
    answer = await asyncio.to_thread(urllib.request.urlopen, f"{worker.address}/metrics", None, 5)
    buckets: dict[str, list[tuple[float, float]]] = {}
    trainings = answered = 0.0
    for family in text_string_to_metric_families(answer.read().decode()):
        for sample in family.samples:
            if sample.name.endswith("_bucket") and sample.labels.get("since", "record") == "record":
                buckets.setdefault(family.name, []).append((float(sample.labels["le"]), sample.value))
            if sample.name == "stream_lstm_trainings_total" and sample.labels["outcome"] == "trained":
                trainings = sample.value
            if sample.name == "stream_lstm_models" and sample.labels["state"] != "missing":
                answered += sample.value
    made = {name: Histogram(*zip(*sorted(pairs), strict=True)) for name, pairs in buckets.items()}
    names = ("candle_to_prediction_seconds", "turn_cpu_seconds", "event_loop_lag_seconds")
    return Scrape(*(made.get(f"stream_lstm_{name}", Histogram()) for name in names), trainings, answered)


async def ready(worker: WorkerProcess) -> None:
    """Wait until a worker is live: what comes before that is replayed silently."""
    async with asyncio.timeout(300):
        while not (worker.address and await asyncio.to_thread(_is_ready, worker.address)):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.2)


def _is_ready(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{address}/readyz", timeout=5).status == 200)
    except OSError:
        return False


async def one_in_flight(feeder: Feeder, tail: Tail, market: Iterator[Moment], seconds: float) -> int:
    """Send a candle, wait for all of its predictions, send the next; how many."""
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        candle = next(market)[0]
        missing = HORIZONS
        await feeder.pour([[candle]])
        while missing > 0:
            missing -= len(await tail.poll(10))
        sent += 1
    return sent


async def idle_lag(seconds: float) -> float:
    """The longest that an idle process's loop was called late."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _IDLE, str(seconds), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return float(out)


async def minutes(
    place: Installation, market: Iterator[Moment], training: bool, runs: int, seconds: float
) -> list[report.Row]:
    """One worker, several runs."""
    settings = {
        "start_at": "latest",
        "history__candles": _HISTORY,
        "history__rewind_candles": _HISTORY,
        "training__processes": 2,
        "training__timeout": "60s",
        "training__expiry": "1h" if training else "3650d",
        "training__expiry_jitter": 0,
    }
    rows: list[report.Row] = []
    async with (
        place.worker(**settings) as worker,
        Feeder(place.connection, CANDLES) as feeder,
        Tail(place.connection, {PREDICTIONS: PREDICTIONS}) as tail,
    ):
        await ready(worker)
        while (await scraped(worker)).answered < _SERIES:
            await one_in_flight(feeder, tail, market, 2)
        for run in range(runs):
            before = await scraped(worker)
            sent, idle = await asyncio.gather(one_in_flight(feeder, tail, market, seconds), idle_lag(seconds))
            rows.append(_row(before, await scraped(worker), run, sent, idle, training))
    return rows


def _row(before: Scrape, after: Scrape, run: int, sent: int, idle: float, training: bool) -> report.Row:
    latency = after.latency.since(before.latency)
    turns, loop = after.turns.since(before.turns), after.loop.since(before.loop)
    return {
        "what": f"{'two trainings' if training else 'no training'}, run {run + 1}",
        "candles": sent,
        "trainings": int(after.trainings - before.trainings),
        "p50_ms": _ms(latency, 0.5),
        "p99_ms": _ms(latency, 0.99),
        "longest_turn_cpu_ms_below": _ms(turns, 1),
        "longest_loop_lag_ms_below": _ms(loop, 1),
        "idle_loop_lag_ms": 1000 * idle,
    }


def _ms(histogram: Histogram, level: float) -> float:
    seconds = histogram.quantile(level)
    return float("nan") if seconds is None else 1000 * seconds


async def measure(runs: int, seconds: float) -> list[report.Row]:
    """Rows of both kinds."""
    market = synthetic(_SERIES, _HISTORY + 20_000)
    turns = ([candle] for moment in market[_HISTORY:] for candle in moment)
    async with installation(1) as place:
        await place.feed(market[:_HISTORY])
        rows = await minutes(place, turns, True, runs, seconds)
        return rows + await minutes(place, turns, False, runs, seconds)


def main() -> None:
    """Measure and publish."""
    report.on_one_native_thread(pinned=False)
    options = report.arguments(__doc__ or "")
    runs, seconds = (1, 10.0) if options.quick else (_RUNS, _SECONDS)
    rows = asyncio.run(measure(runs, seconds))
    told = report.Report("latency", rows=rows)
    busy = [row for row in rows if str(row["what"]).startswith("two")]
    p99 = statistics.median(float(row["p99_ms"] or 0) for row in busy)
    longest = max(float(row["longest_turn_cpu_ms_below"] or 0) for row in rows)
    told.ratios["p99_ms_while_training"] = report.Ratio(p99, _TARGET_MS, least=False)
    told.ratios["longest_turn_cpu_ms"] = report.Ratio(longest, _TURN_TARGET_MS, least=False)
    told.publish(options.json)


if __name__ == "__main__":
    main()
