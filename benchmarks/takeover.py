"""How long series are silent: one worker of three is killed (-9), and a static one is restarted as planned.

Six partitions of 100 series, candles without a pause, checkpoints and time-outs as by default. The model is
`har`, and trained once: trainings are not what is measured. What is said is seen by a reader of its own.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple

import orjson
import report
from installation import START_MS, Installation, installation, scraped
from latency import ready

from stream_lstm.candles import moments
from stream_lstm.candles.moments import Moment
from stream_lstm.kafka.batch_producer import key_hash
from stream_lstm.kafka.tail import Tail
from stream_lstm.kafka.topics import CANDLES, MODEL_EVENTS, PREDICTIONS
from stream_lstm.settings.sections import Kafka
from stream_lstm.streaming.ends import until
from stream_lstm.streaming.feeder import Feeder
from stream_lstm.streaming.worker_process import WorkerProcess

_PARTITIONS: Final = 6
_EACH: Final = 100
"""Series of a partition."""
_HISTORY: Final = 150
"""Candles of each series that the workers begin with."""
_ROUND_S: Final = 2.0
"""Every series closes a candle once in this time."""
_PARTS: Final = 10
"""Parts of a round that are sent one after the other: how often a partition is expected to speak."""
_TRIALS: Final = 5
_NAMES: Final = ("a", "b", "c")
_CALM_S: Final = 70.0
"""Before a kill: every partition has a checkpoint again by then."""
_USUAL_S: Final = 20.0
"""Before a restart: as long as the usual pauses are looked at."""
_LIMIT_S: Final = 180.0
_SPARE_S: Final = 2.0
_SETTINGS: Final = {
    "model": "har",
    "training__expiry": "3650d",
    "start_at": "latest",
    "history__rewind_candles": 2 * _HISTORY,
}


def names() -> list[str]:
    """Symbols of the synthetic series, the partitions in turn."""
    by_partition: dict[int, list[str]] = defaultdict(list)
    for name in moments.symbols(3 * _PARTITIONS * _EACH):
        by_partition[partition_of(name.encode())].append(name)
    whole = [by_partition[number][:_EACH] for number in range(_PARTITIONS)]
    return [name for turn in zip(*whole, strict=True) for name in turn]


def partition_of(key: bytes) -> int:
    """Where Kafka puts a symbol, in all of our topics."""
    return key_hash(key) % _PARTITIONS


def parts(market: Iterator[Moment]) -> Iterator[Moment]:
    """Every moment in parts, each with candles of all partitions."""
    size = _PARTITIONS * _EACH // _PARTS
    for moment in market:
        for first in range(0, len(moment), size):
            yield moment[first : first + size]


class Restored(NamedTuple):
    """What a worker said of a partition that it has restored."""

    at: float
    seconds: float


class Seen:
    """What is in the log and when it was seen there, by `time.monotonic`."""

    def __init__(self) -> None:
        self.spoke: dict[int, list[float]] = defaultdict(list)
        """By partition, when predictions came."""
        self.first: dict[bytes, float] = {}
        """Of each series since `anew`."""
        self.restored: dict[int, Restored] = {}
        """The last that was said of each partition."""

    def anew(self) -> None:
        """From now on look for the first prediction of each series."""
        self.first.clear()

    async def follow(self, tail: Tail) -> None:
        """Read for ever."""
        while True:
            batch = await tail.poll(1.0)
            now = time.monotonic()
            for logical, record in batch:
                if logical == PREDICTIONS:
                    self.first.setdefault(record.key, now)
                elif b'"type":"partition.re' in record.value:
                    event = orjson.loads(record.value)["data"]
                    self.restored[event["partition"]] = Restored(now, event["seconds"])
            for number in {partition_of(record.key) for logical, record in batch if logical == PREDICTIONS}:
                self.spoke[number].append(now)

    def complete(self, partitions: Collection[int]) -> bool:
        """Whether every series of these partitions has spoken since `anew`."""
        spoken = sum(partition_of(key) in partitions for key in self.first)
        return spoken == _EACH * len(partitions)

    def live_since(self, began: float, partitions: Collection[int]) -> bool:
        """Whether all of these have been restored since."""
        return all(number in self.restored and self.restored[number].at > began for number in partitions)

    def longest_pause(self, partitions: Iterable[int], began: float) -> float:
        """Longest time from `began` to now in which one of these partitions said nothing."""
        longest, now = 0.0, time.monotonic()
        for number in partitions:
            times = [at for at in self.spoke[number] if at > began]
            longest = max([longest, *(after - before for before, after in pairwise([began, *times, now]))])
        return longest


class Trio:
    """Three workers by name; static members by that name, or not."""

    def __init__(self, place: Installation, seen: Seen, *, static: bool) -> None:
        self._place = place
        self._seen = seen
        self._static = static
        self.workers: dict[str, WorkerProcess] = {}

    def start(self, name: str) -> None:
        """Start one."""
        instance = {"worker__instance": name} if self._static else {}
        self.workers[name] = self._place.worker(**_SETTINGS, **instance)
        self.workers[name].start()

    async def calm(self, seconds: float) -> None:
        """Wait until all workers are ready, and then so long."""
        async with asyncio.timeout(_LIMIT_S):
            for worker in self.workers.values():
                await ready(worker)
        await asyncio.sleep(seconds)

    async def owned(self, name: str) -> set[int]:
        """The partitions that one has."""
        samples = await scraped(self.workers[name])
        labels = [labels for labels, _ in samples["consumer_lag_records"]]
        return {int(one["partition"]) for one in labels if one["topic"] == CANDLES}

    async def assignments(self, names: Iterable[str]) -> float:
        """How often some of them were assigned partitions, in all."""
        told = [await scraped(self.workers[name]) for name in names]
        return sum(value for samples in told for _, value in samples["consumer_rebalances_total"])


@asynccontextmanager
async def trio(place: Installation, seen: Seen, *, static: bool) -> AsyncIterator[Trio]:
    """Three workers that have models and checkpoints; they are stopped at the end."""
    made = Trio(place, seen, static=static)
    try:
        for name in _NAMES:
            made.start(name)
        await made.calm(5)
        async with asyncio.timeout(_LIMIT_S):
            while await place.events("model.trained") < _PARTITIONS * _EACH:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(1)
        yield made
    finally:
        await asyncio.gather(*(worker.stop() for worker in made.workers.values()))


async def killed(all_: Trio, seen: Seen, name: str) -> report.Row:
    """Kill one; how long until the others speak for all of its series."""
    theirs = await all_.owned(name)
    others = set(range(_PARTITIONS)) - theirs
    began = time.monotonic()
    await all_.workers.pop(name).kill()
    await asyncio.sleep(1)  # what it has sent is read by now, and nobody has noticed its death
    seen.anew()
    async with asyncio.timeout(_LIMIT_S):
        await until(partial(seen.complete, theirs))
        await until(partial(seen.live_since, began, range(_PARTITIONS)))
    silent = max(at for key, at in seen.first.items() if partition_of(key) in theirs) - began
    restore, kafka = max(seen.restored[number].seconds for number in theirs), Kafka()
    return {
        "what": f"kill -9 of {name}",
        "partitions": len(theirs),
        "silent_s": silent,
        "restore_s": restore,
        "allowed_s": kafka.session_timeout + kafka.heartbeat_interval + restore + _SPARE_S,
        "others_silent_s": seen.longest_pause(others, began),
    }


async def restarted(all_: Trio, seen: Seen, name: str) -> report.Row:
    """Stop one and start it again; what the others notice."""
    theirs = await all_.owned(name)
    rest, others = set(_NAMES) - {name}, set(range(_PARTITIONS)) - theirs
    before = await all_.assignments(rest)
    usual = seen.longest_pause(others, time.monotonic() - _USUAL_S)
    began = time.monotonic()
    await all_.workers.pop(name).stop()
    stopped = time.monotonic()
    seen.anew()
    all_.start(name)
    async with asyncio.timeout(_LIMIT_S):
        await until(partial(seen.complete, theirs))
    silent = max(at for key, at in seen.first.items() if partition_of(key) in theirs) - began
    await asyncio.sleep(5)  # a rebalance that follows would be seen
    return {
        "what": f"restart of {name}",
        "partitions": len(theirs),
        "usual_pause_s": usual,
        "others_pause_s": seen.longest_pause(others, began),
        "assignments_of_others": await all_.assignments(rest) - before,
        "stop_s": stopped - began,
        "own_silent_s": silent,
    }


async def measure(trials: int, calm_s: float) -> tuple[list[report.Row], list[report.Row]]:
    """Rows of the kills and of the restarts."""
    market = moments.of_market(names(), interval="1h", start_ms=START_MS, seed=1)
    seen = Seen()
    async with installation(_PARTITIONS) as place:
        await place.feed(list(islice(market, _HISTORY)))
        async with (
            Tail(place.connection, {name: name for name in (PREDICTIONS, MODEL_EVENTS)}) as tail,
            Feeder(place.connection, CANDLES) as feeder,
            asyncio.TaskGroup() as beside,
        ):
            running = [
                beside.create_task(seen.follow(tail)),
                beside.create_task(feeder.play(parts(market), _PARTS / _ROUND_S)),
            ]
            kills = await _kills(place, seen, trials, calm_s)
            restarts = await _restarts(place, seen, trials)
            for task in running:
                task.cancel()
    return kills, restarts


async def _kills(place: Installation, seen: Seen, trials: int, calm_s: float) -> list[report.Row]:
    rows = []
    async with trio(place, seen, static=False) as all_:
        for trial in range(trials):
            await all_.calm(calm_s)
            name = _NAMES[trial % len(_NAMES)]
            rows.append(await killed(all_, seen, name))
            all_.start(name)
            began = time.monotonic()
            async with asyncio.timeout(_LIMIT_S):
                await until(partial(seen.live_since, began, range(_PARTITIONS)))
    return rows


async def _restarts(place: Installation, seen: Seen, trials: int) -> list[report.Row]:
    rows = []
    async with trio(place, seen, static=True) as all_:
        for trial in range(trials):
            await all_.calm(_USUAL_S + 5)
            rows.append(await restarted(all_, seen, _NAMES[trial % len(_NAMES)]))
    return rows


def _most(rows: Iterable[report.Row], value: Any) -> float:
    return max(float(value(row)) for row in rows)


def main() -> None:
    """Measure and publish."""
    report.on_one_native_thread(pinned=False)
    options = report.arguments(__doc__ or "")
    kills, restarts = asyncio.run(measure(*((1, 20.0) if options.quick else (_TRIALS, _CALM_S))))
    told = report.Report("takeover", rows=[*kills, *restarts])
    kafka = Kafka()
    without_restore = _most(kills, lambda row: row["silent_s"] - row["restore_s"])
    allowed = kafka.session_timeout + kafka.heartbeat_interval + _SPARE_S
    told.ratios["silent_s_without_restore"] = report.Ratio(without_restore, allowed, least=False)
    beyond = _most(restarts, lambda row: row["others_pause_s"] - row["usual_pause_s"])
    told.ratios["others_pause_beyond_usual_s"] = report.Ratio(beyond, kafka.heartbeat_interval, least=False)
    assigned = _most(restarts, lambda row: row["assignments_of_others"])
    told.ratios["assignments_of_others"] = report.Ratio(assigned, 0, least=False)
    told.publish(options.json)


if __name__ == "__main__":
    main()
