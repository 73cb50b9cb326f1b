"""Which candles of a stretch of time are not there yet."""

from collections.abc import Collection, Iterator
from typing import NamedTuple


class Stretch(NamedTuple):
    """Open times from `start_ms` up to, but without, `stop_ms`, all of one phase."""

    start_ms: int
    stop_ms: int


def last(count: int, newest_ms: int, step_ms: int) -> Stretch:
    """The stretch of so many candles of which the last opens at `newest_ms`.

    >>> last(3, 600, 100)
    Stretch(start_ms=400, stop_ms=700)
    """
    return Stretch(newest_ms - (count - 1) * step_ms, newest_ms + step_ms)


def missing(held: Collection[int], wanted: Stretch, step_ms: int) -> Iterator[Stretch]:
    """What of a stretch is not among the open times `held`, as the fewest stretches, in order.

    >>> list(missing({200, 300}, Stretch(100, 600), 100))
    [Stretch(start_ms=100, stop_ms=200), Stretch(start_ms=400, stop_ms=600)]
    """
    begun: int | None = None
    for open_ms in range(wanted.start_ms, wanted.stop_ms, step_ms):
        if open_ms not in held:
            begun = open_ms if begun is None else begun
        elif begun is not None:
            yield Stretch(begun, open_ms)
            begun = None
    if begun is not None:
        yield Stretch(begun, wanted.stop_ms)


def split(stretch: Stretch, at_ms: int) -> tuple[Stretch, Stretch]:
    """What of it opens before a time, and what does not; either may be empty.

    >>> split(Stretch(100, 400), 300)
    (Stretch(start_ms=100, stop_ms=300), Stretch(start_ms=300, stop_ms=400))
    """
    at_ms = min(max(at_ms, stretch.start_ms), stretch.stop_ms)
    return Stretch(stretch.start_ms, at_ms), Stretch(at_ms, stretch.stop_ms)
