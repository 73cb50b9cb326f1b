"""When a candle is closed: time and succession decide, a producer's flag only confirms.

A series keeps one pending bar, the last update wins. It closes when a bar with a later open time
arrives, when it is flagged closed and event time has reached its close time − 1 s, or when the
partition clock has passed its close time by the grace. The clock is the greatest event time of the
partition's valid records, so the same records close the same bars, live or in a replay.
"""

from collections import Counter
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Final

from stream_lstm.candles import reasons
from stream_lstm.candles.series import Closed, SeriesKey, Update
from stream_lstm.errors import BadCandle

FLAG_EARLY_MS: Final = 1_000
"""A flag counts from this long before the close time."""
MAX_AHEAD_MS: Final = 5_000
"""A message's own event time counts up to this far ahead of its record's."""
AGREEING: Final = 3
"""So many consecutive open times of another phase show that the series' first one was wrong."""


@dataclass(slots=True)
class _Place:
    """What is known of a series. Times in ms; −1 where there is none."""

    phase_ms: int
    pending: Update | None = None
    last_closed_ms: int = -1
    rival_open_ms: int = -1
    """The last open time that was out of step."""
    rivals: int = 0
    """So many consecutive open times, up to that one, were out of step alike."""


class Closing:
    """The closing rule for one partition.

    ``contradictions`` counts, per format, the flags that time proved wrong.
    """

    def __init__(self, close_grace_ms: int = 5_000, most_series: int = 10_000) -> None:
        self.close_grace_ms = close_grace_ms
        self.most_series = most_series
        self.clock_ms = -1
        self.contradictions: Counter[str] = Counter()
        self._places: dict[SeriesKey, _Place] = {}
        # (close time, series) of every pending bar, and of some that have closed since.
        self._due: list[tuple[int, SeriesKey]] = []

    def offer(self, update: Update, record_ms: int, format: str = "") -> list[Closed]:
        """Take one update; return what closes by it: its own series first, then by close time and series.

        `record_ms` is the record's timestamp, `format` the name under which a contradiction counts. An
        update of an open time that has closed, or older than the pending bar, comes out at once. Raises
        `BadCandle`, nothing changed, for an open time out of step with its series (``phase_broken``) and
        for a new series beyond `most_series` (``too_many_series``).
        """
        place = self._place_of(update)
        event_ms = record_ms
        if update.event_ms is not None and update.event_ms > record_ms:
            event_ms = min(update.event_ms, record_ms + MAX_AHEAD_MS)
        if event_ms > self.clock_ms:
            self.clock_ms = event_ms
        confirmed = self._confirmed(update, event_ms, format)
        closings = self._succeed(place, update)
        if confirmed and place.pending is update:
            closings.append(_close(place, update))
        if self._due and self._due[0][0] + self.close_grace_ms < self.clock_ms:
            closings += self._overdue()
        return closings

    def state(self) -> dict[str, Any]:
        """All that closings depend on, in what JSON can hold; `contradictions` is not part of it."""
        series = [
            {
                "series": list(series),
                "phase": [place.phase_ms, place.rival_open_ms, place.rivals],
                "lastClosed": place.last_closed_ms,
                "pending": place.pending and list(place.pending[1:]),
            }
            for series, place in self._places.items()
        ]
        return {"clock": self.clock_ms, "series": series}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` said, here or in another process."""
        self.clock_ms = state["clock"]
        self._places, self._due = {}, []
        for saved in state["series"]:
            series = SeriesKey(*saved["series"])
            phase_ms, rival_open_ms, rivals = saved["phase"]
            place = _Place(phase_ms, None, saved["lastClosed"], rival_open_ms, rivals)
            self._places[series] = place
            if saved["pending"]:
                self._await(place, Update(series, *saved["pending"]))

    def _place_of(self, update: Update) -> _Place:
        phase_ms = update.open_ms % update.step_ms
        place = self._places.get(update.series)
        if place is None:
            if len(self._places) >= self.most_series:
                told = f"{update.series} is one series more than the {self.most_series} of a partition"
                raise BadCandle(reasons.TOO_MANY_SERIES, f"{told}: raise worker.series_per_partition")
            place = self._places[update.series] = _Place(phase_ms)
        elif place.phase_ms != phase_ms:
            _challenge(place, update)
        else:
            place.rivals = 0
        return place

    def _confirmed(self, update: Update, event_ms: int, format: str) -> bool:
        if update.closed is None:
            return False
        close_ms = update.open_ms + update.step_ms - 1
        wrong = event_ms < close_ms - FLAG_EARLY_MS if update.closed else event_ms > close_ms
        if wrong:
            self.contradictions[format] += 1
        return update.closed and not wrong

    def _succeed(self, place: _Place, update: Update) -> list[Closed]:
        """Give the update its place in the series' order."""
        pending = place.pending
        newest_ms = place.last_closed_ms if pending is None else pending.open_ms
        if update.open_ms < newest_ms or update.open_ms == place.last_closed_ms:
            return [_closed(update)]
        if pending is not None and update.open_ms == newest_ms:
            place.pending = update
            return []
        closings = [] if pending is None else [_close(place, pending)]
        self._await(place, update)
        return closings

    def _await(self, place: _Place, update: Update) -> None:
        place.pending = update
        heappush(self._due, (update.close_ms, update.series))

    def _overdue(self) -> list[Closed]:
        closings = []
        while self._due and self._due[0][0] + self.close_grace_ms < self.clock_ms:
            close_ms, series = heappop(self._due)
            place = self._places[series]
            if place.pending is not None and place.pending.close_ms == close_ms:
                closings.append(_close(place, place.pending))
        return closings


def _challenge(place: _Place, update: Update) -> None:
    """Refuse an update of another phase, unless it is one of enough that agree."""
    open_ms = update.open_ms
    if place.rivals and open_ms == place.rival_open_ms + update.step_ms:
        place.rivals += 1
    elif not place.rivals or open_ms != place.rival_open_ms:
        place.rivals = 1
    place.rival_open_ms = open_ms
    if place.rivals < AGREEING:
        off = (open_ms - place.phase_ms) % update.step_ms
        told = f"{update.series} at {open_ms}: {off} ms out of step with the series' other candles"
        raise BadCandle(
            reasons.PHASE_BROKEN, f"{told}; {AGREEING} consecutive open times that agree are adopted"
        )
    place.phase_ms, place.rivals = open_ms % update.step_ms, 0
    # What is pending is the bar that was wrong.
    place.pending = None


def _close(place: _Place, update: Update) -> Closed:
    place.pending = None
    place.last_closed_ms = update.open_ms
    return _closed(update)


def _closed(update: Update) -> Closed:
    return Closed(*update[:8])
