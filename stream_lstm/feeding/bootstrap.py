"""`stream-lstm bootstrap`: history into an input topic, from candle files or from an exchange.

What the topic holds is read first, and only what is missing is written: a call that was cut off is made
good by the next one. All series go forward together, so that the log is in the order of time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from typing import Final

from stream_lstm.candles.decode import NO_PIN, Pin
from stream_lstm.candles.files import CandleFile
from stream_lstm.candles.missing import Stretch, last, missing, split
from stream_lstm.candles.moments import of_files
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.exchange.markets import Listing
from stream_lstm.exchange.venue import Venue
from stream_lstm.feeding.holdings import Holding, held_since
from stream_lstm.kafka import topic_admin
from stream_lstm.kafka.connection import Deadline, KafkaConnection
from stream_lstm.kafka.topics import retention_warning
from stream_lstm.streaming.feeder import Feeder

_ANSWER_SECONDS: Final = 30.0
_AT_ONCE: Final = 200_000
"""Candles of all series that are held in memory at a time."""
_FEWEST: Final = 100
"""Candles of a series that are asked for at a time, however many series there are."""
_BATCH: Final = 2_000
"""Candles of files that are written at a time."""

Progress = Callable[[int, int | None], None]
"""Told how many of the wanted candles are in the topic, and how many are wanted."""


@dataclass(slots=True)
class Loaded:
    """What came of one series."""

    series: SeriesKey
    held: int
    """Candles of those wanted that the topic held before."""
    loaded: int = 0
    """Candles that were written."""
    absent: int = 0
    """Candles that neither the topic nor the source has."""
    newest_ms: int = -1
    """Open time of the last one wanted."""


@dataclass(frozen=True, slots=True)
class Target:
    """A topic, and what its input pins about the candles in it."""

    connection: KafkaConnection
    topic: str
    pin: Pin = NO_PIN


@dataclass(slots=True)
class _Wanted:
    stretch: Stretch
    step_ms: int
    holding: Holding
    loaded: Loaded
    left: list[Stretch] = field(default_factory=list)


async def from_files(
    target: Target,
    files: Sequence[CandleFile],
    exchange: str,
    now_ms: int,
    *,
    candles: int | None = None,
    warn: Callable[[str], None],
    progress: Progress = lambda done, total: None,
) -> list[Loaded]:
    """Load what has closed of these files, the last `candles` of each or all of them.

    Returns when it is in the log, with what came of each series. `warn` is told, before anything is
    written, what will not have the effect that one may expect. Raises `BrokerError`, and `TopicMissing`.
    """
    exchange = exchange.lower()
    cut = [file for file in (_cut(file, now_ms, candles) for file in files) if len(file.open_ms)]
    steps: dict[SeriesKey, int] = {}
    stretches: dict[SeriesKey, Stretch] = {}
    for file in cut:
        series = SeriesKey(exchange, file.symbol, file.interval)
        stretch = Stretch(int(file.open_ms[0]), int(file.open_ms[-1]) + file.step_ms)
        steps[series] = file.step_ms
        stretches[series] = _covering(stretch, stretches.get(series, stretch))
    plan = await _plan(target, stretches, steps, now_ms, warn)
    moments = of_files(cut, exchange)
    async with Feeder(target.connection, target.topic) as feeder:
        tally = _Tally(plan, progress)
        batch: list[Closed] = []
        for moment in moments:
            batch += [candle for candle in moment if tally.is_missing(candle)]
            if len(batch) >= _BATCH:
                await tally.pour(feeder, batch)
                batch = []
        await tally.pour(feeder, batch)
    return tally.end()


async def from_exchange(
    target: Target,
    venue: Venue,
    listings: Sequence[Listing],
    candles: int,
    *,
    warn: Callable[[str], None],
    progress: Progress = lambda done, total: None,
) -> list[Loaded]:
    """Load the last `candles` that have closed of each series; as `from_files`, and raises `VenueError`."""
    newest = await asyncio.gather(*(venue.newest(listing) for listing in listings))
    steps = {listing.series: listing.step_ms for listing in listings}
    stretches = {row.series: last(candles, row.open_ms, row.step_ms) for row in newest if row is not None}
    for listing, row in zip(listings, newest, strict=True):
        if row is None:
            warn(f"{venue.name} has no candle of {listing.symbol} that has closed lately")
    plan = await _plan(target, stretches, steps, venue.now_ms(), warn)
    tally = _Tally(plan, progress)
    async with Feeder(target.connection, target.topic) as feeder:
        async for batch in _pages(venue, [one for one in listings if one.series in plan], plan):
            await tally.pour(feeder, [candle for candle in batch if tally.is_missing(candle)])
    return tally.end()


def _covering(one: Stretch, other: Stretch) -> Stretch:
    return Stretch(min(one.start_ms, other.start_ms), max(one.stop_ms, other.stop_ms))


def _cut(file: CandleFile, now_ms: int, candles: int | None) -> CandleFile:
    """What of a file has closed, and the last of it."""
    stop = int((file.open_ms + file.step_ms <= now_ms).sum())
    start = 0 if candles is None else max(0, stop - candles)
    return file._replace(open_ms=file.open_ms[start:stop], ohlcv=file.ohlcv[start:stop])


async def _plan(
    target: Target,
    stretches: Mapping[SeriesKey, Stretch],
    steps: Mapping[SeriesKey, int],
    now_ms: int,
    warn: Callable[[str], None],
) -> dict[SeriesKey, _Wanted]:
    """What is missing, after a look at what there is; says what cannot work."""
    oldest_ms = min((stretch.start_ms for stretch in stretches.values()), default=now_ms)
    kept_ms = await topic_admin.retention_ms(target.connection, target.topic, Deadline(_ANSWER_SECONDS))
    if warning := retention_warning(target.topic, kept_ms, oldest_ms, now_ms):
        warn(warning)
    held = await held_since(target.connection, target.topic, target.pin, stretches, oldest_ms)
    plan: dict[SeriesKey, _Wanted] = {}
    for series, stretch in stretches.items():
        step_ms, holding = steps[series], held[series]
        left = list(missing(holding.opens, stretch, step_ms))
        count = sum(len(range(*each, step_ms)) for each in left)
        wanted = len(range(*stretch, step_ms))
        loaded = Loaded(series, held=wanted - count, absent=count, newest_ms=stretch.stop_ms - step_ms)
        plan[series] = _Wanted(stretch, step_ms, holding, loaded, left)
    before = [one for one in plan.values() if one.left and one.left[0].start_ms < one.holding.newest_ms]
    if before:
        named = ", ".join(str(one.loaded.series) for one in before[:3])
        warn(
            f"{target.topic} holds newer candles than some that are loaded now ({named}"
            f"{' and more' if len(before) > 3 else ''}): in the log these come after them, and a worker "
            "counts what lies before its window as late. For a longer history, load it into a new topic"
        )
    return plan


class _Tally:
    """Which candles are still missing, and how many are in the log."""

    def __init__(self, plan: Mapping[SeriesKey, _Wanted], progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._total = sum(one.loaded.held + one.loaded.absent for one in plan.values())
        self._done = sum(one.loaded.held for one in plan.values())
        progress(self._done, self._total)

    def is_missing(self, candle: Closed) -> bool:
        """Whether it is wanted and not in the topic; from now on it counts as being there."""
        one = self._plan[candle.series]
        inside = one.stretch.start_ms <= candle.open_ms < one.stretch.stop_ms
        if not inside or candle.open_ms in one.holding.opens:
            return False
        one.holding.opens.add(candle.open_ms)
        return True

    async def pour(self, feeder: Feeder, candles: Sequence[Closed]) -> None:
        """Send them in the order of their closing."""
        moments = (list(group) for _, group in groupby(candles, key=_close_ms))
        await feeder.pour(moments)
        for candle in candles:
            loaded = self._plan[candle.series].loaded
            loaded.loaded += 1
            loaded.absent -= 1
        self._done += len(candles)
        self._progress(self._done, self._total)

    def end(self) -> list[Loaded]:
        """What came of each series."""
        return [one.loaded for one in self._plan.values()]


async def _pages(
    venue: Venue, listings: Sequence[Listing], plan: Mapping[SeriesKey, _Wanted]
) -> AsyncIterator[list[Closed]]:
    """The missing candles, a window of time after the other, all series of a window together."""
    begins = [one.left[0].start_ms for one in plan.values() if one.left]
    if not begins:
        return
    step_ms = listings[0].step_ms
    window = max(_FEWEST, min([*(venue.page(one) for one in listings), _AT_ONCE // len(listings)]))
    at_ms, stop_ms = min(begins), max(one.stretch.stop_ms for one in plan.values())
    while at_ms < stop_ms:
        at_ms += window * step_ms
        asked = []
        for listing in listings:
            now, later = _before(plan[listing.series].left, at_ms)
            plan[listing.series].left = later
            asked += [_fetched(venue, listing, stretch) for stretch in now]
        answers = await asyncio.gather(*asked)
        yield list(merge(*answers, key=_close_ms))


def _before(stretches: Iterable[Stretch], at_ms: int) -> tuple[list[Stretch], list[Stretch]]:
    halves = [split(stretch, at_ms) for stretch in stretches]
    now = [early for early, _ in halves if early.start_ms < early.stop_ms]
    return now, [late for _, late in halves if late.start_ms < late.stop_ms]


async def _fetched(venue: Venue, listing: Listing, stretch: Stretch) -> list[Closed]:
    return [row async for page in venue.pages(listing, stretch) for row in page]


def _close_ms(candle: Closed) -> int:
    return candle.close_ms
