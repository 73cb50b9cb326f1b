"""What the store knows, as documents for the page."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from stream_lstm.dashboard import words
from stream_lstm.dashboard.candle_ring import CandleRing
from stream_lstm.dashboard.fans import BANDS, Fan, held
from stream_lstm.dashboard.series_state import SeriesState
from stream_lstm.dashboard.store import Logged, Store
from stream_lstm.dashboard.words import Word
from stream_lstm.terminal.sentences import sentence

Document = dict[str, Any]

COLUMNS: Final = ("key", "close", "closedAt", "state", "text", "coverage", "count", "mark", "spark")
"""Of a row of the list."""
_SPARK: Final = 32
_SIGNS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TROUBLE: Final = ("failed", "quarantined", "split", "full", "resized", "rebuilt", "rejected", "stale", "gap")


class Views:
    """Documents of one store; `needed` candles come before a series' first prediction."""

    def __init__(self, store: Store, needed: int) -> None:
        self.store = store
        self.needed = needed

    def row(self, series: SeriesState, now: float) -> list[Any]:
        """A line of the list, as `COLUMNS` says."""
        said = self.state(series, now)
        shortest = series.shortest
        record = series.records.get(shortest or "")
        mark = words.coverage(record, self._steps(series, shortest) if shortest else 1)
        share = record.coverage if record else None
        return [
            str(series.key),
            _last_close(series),
            series.last_close_ms,
            said.code,
            said.text,
            None if share is None else round(share, 4),
            record.count if record else 0,
            mark.code,
            spark(series.candles),
        ]

    def rows(self, now: float) -> Document:
        """The whole list."""
        series = sorted(self.store.series.values(), key=lambda each: (each.key.symbol, each.key))
        return {
            "columns": COLUMNS,
            "version": self.store.version,
            "rows": [self.row(each, now) for each in series],
        }

    def state(self, series: SeriesState, now: float) -> Word:
        """How a series stands, in words."""
        return words.state(series, self.needed, now, self.store.heard, self.store.workers.all_stopped)

    def detail(self, series: SeriesState, now: float, since_ms: int = -1) -> Document:
        """One series: candles from `since_ms` on, the fan of now, those that ended now, and the card."""
        rows = series.candles.rows
        pending = series.pending
        ends = {name: series.as_of - ms for name, ms in series.horizons.items()}
        fan = self.store.fans.at(series.key, series.as_of)
        ghosts = {name: self.store.fans.at(series.key, as_of) for name, as_of in ends.items()}
        return {
            "key": str(series.key),
            **series.key._asdict(),
            "stepMs": series.step_ms,
            "version": series.version,
            "whole": since_ms < 0,
            "candles": rows[rows[:, 0] >= since_ms].tolist(),
            "pending": None if pending is None else [pending.open_ms, *pending[3:7]],
            "asOf": series.as_of,
            "horizons": self._horizons(series),
            "fan": None if fan is None else told(fan),
            "ghosts": {
                name: ghost.told(name)
                for name, ghost in ghosts.items()
                if ghost is not None and name in ghost.paths
            },
            "card": self._card(series, now),
        }

    def past(self, series: SeriesState, as_of: int) -> Document | None:
        """The fan that was published at a candle, and how many of the closes since were inside."""
        fan = self.store.fans.at(series.key, as_of)
        if fan is None:
            return None
        rows = series.candles.rows
        return told(fan) | {"held": {name: held(fan, name, rows, BANDS[-1]) for name in fan.paths}}

    def log(self, entries: Iterable[Logged]) -> list[Document]:
        """Events as sentences, in the order given."""
        return [
            {
                "number": number,
                "at": event.at,
                "text": sentence(event),
                "kind": event.type,
                "trouble": any(part in event.type for part in _TROUBLE),
                "series": f"{event.exchange}:{event.symbol}:{event.interval}" if event.symbol else None,
            }
            for number, event in entries
        ]

    def status(self, now: float) -> Document:
        """Workers, lag, and what could not be used."""
        store = self.store
        waiting = [
            now - each.unanswered_at
            for each in store.series.values()
            if each.unanswered_at is not None and each.as_of >= 0 and each.paused_at is None
        ]
        longest = max(waiting, default=0.0)
        late = sum(seconds > 2 for seconds in waiting)
        lag = (
            f"{late} series wait for a forecast, one for {words.length(1000 * longest)}"
            if late
            else "no candle has been seen"
            if not store.series
            else "every closed candle is answered"
            if any(each.as_of >= 0 for each in store.series.values())
            else "no series has a forecast yet"
        )
        silent = min(longest, now - store.heard) > words.DOWN_SECONDS
        return {
            "workers": f"no answer; as last heard {store.workers.sentence}"
            if silent
            else store.workers.sentence,
            "lag": lag,
            "down": store.workers.all_stopped or silent,
            "series": len(store.series),
            "leftOut": store.left_out,
            "deadLetters": store.dead_letters,
        }

    def _horizons(self, series: SeriesState) -> list[Document]:
        lengths = sorted(series.horizons.items(), key=lambda item: item[1])
        return [{"name": name, "ms": ms, "steps": self._steps(series, name)} for name, ms in lengths]

    def _steps(self, series: SeriesState, horizon: str) -> int:
        return max(1, series.horizons[horizon] // series.step_ms)

    def _card(self, series: SeriesState, now: float) -> Document:
        fan = self.store.fans.at(series.key, series.as_of)
        said, horizons = self.state(series, now), [each["name"] for each in self._horizons(series)]
        held = {
            name: words.coverage(series.records.get(name), self._steps(series, name)) for name in horizons
        }
        return {
            "state": said._asdict(),
            "trust": words.trust(said, held)._asdict(),
            "model": words.model(series),
            "lastClose": _last_close(series),
            "horizons": [self._told(series, fan, name, held[name]) for name in horizons],
        }

    def _told(self, series: SeriesState, fan: Fan | None, horizon: str, held: Word) -> Document:
        record = series.records.get(horizon)
        said = series.models.get(horizon)
        counted = record is not None and record.count > 0
        return {
            "horizon": horizon,
            "bounds": fan.bounds(horizon, BANDS[-1]) if fan is not None and horizon in fan.paths else None,
            "coverage": record.coverage if record and counted else None,
            "nominal": record.nominal if record and counted else None,
            "count": record.count if record else 0,
            "verdict": held._asdict(),
            "skill": words.skill(record.skill(series.candles, series.horizons[horizon])) if record else None,
            "intervalSkill": said.interval_skill if said else None,
            "extrapolated": said is not None and said.reason == "extrapolated",
        }


def told(fan: Fan) -> Document:
    """A fan with all its paths."""
    return {"asOf": fan.as_of, "paths": {name: fan.told(name) for name in fan.paths}}


def spark(candles: CandleRing) -> str:
    """The last 32 closes as heights from 0 to z."""
    closes = candles.rows[-_SPARK:, 4]
    if not len(closes):
        return ""
    low, span = closes.min(), float(np.ptp(closes)) or 1.0
    heights = np.rint((closes - low) / span * (len(_SIGNS) - 1)).astype(int)
    return "".join(_SIGNS[height] for height in heights.tolist())


def _last_close(series: SeriesState) -> float | None:
    rows = series.candles.rows
    return float(rows[-1, 4]) if len(rows) else None
