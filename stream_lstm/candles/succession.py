"""What of one series goes out next, from what an exchange says: closed candles once each, and in order.

What closes a candle is an answer to a request, never the stream alone: the last update of a stream may
have been lost with its connection, and the updates of a stream come late, twice and out of order.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from stream_lstm.candles.series import Closed, SeriesKey, Update

RECHECKED: Final = 3
"""Closed candles that are asked for again with every request: exchanges correct their last ones."""
_REMEMBERED: Final = 2 * RECHECKED
"""Closed candles whose values are known, so that a correction is told from a repeat."""


class Succession:
    """The order in which one series is published.

    `settle` takes what the exchange answered and says which closed candles go out now; `forming` takes the
    latest bar and says whether it may. Time is an argument, in epoch ms by the exchange's clock. A candle
    is final when its close time has passed and the same answer shows a later one; one that is the last of
    its series for `settle_ms` after its close (nothing is traded) is final when two answers agree on it.
    A candle that an answer leaves out, while it has a later one, is waited for until `settle_ms` after its
    close; then there is none.
    """

    def __init__(
        self, series: SeriesKey, step_ms: int, *, settle_ms: int, published: Iterable[Closed] = ()
    ) -> None:
        """`published` are the candles that are out already: the newest, and of those before it some."""
        self.series = series
        self.step_ms = step_ms
        self.settle_ms = settle_ms
        self._published = {candle.open_ms: candle for candle in sorted(published, key=_open_ms)}
        self._forget()
        self.next_ms = max(self._published) + step_ms if self._published else None
        self.skipped = 0
        """Candles that the exchange has not, so far."""
        self._witnessed: Closed | None = None
        self._shown: Update | None = None

    def since(self, now_ms: int) -> int:
        """The open time from which on the exchange is to be asked."""
        if self.next_ms is None:
            return now_ms - RECHECKED * self.step_ms
        return self.next_ms - RECHECKED * self.step_ms

    def is_due(self, now_ms: int) -> bool:
        """Whether a candle has closed, by the clock, that is not out."""
        return self.next_ms is None or self.next_ms + self.step_ms <= now_ms

    def due_ms(self, now_ms: int) -> int:
        """When the candle closes that comes next; now, if it is not known which that is."""
        return now_ms if self.next_ms is None else self.next_ms + self.step_ms

    def settle(self, rows: Iterable[Closed], asked_ms: int) -> list[Closed]:
        """The candles that go out now, corrections of published ones first. They count as published.

        `rows` is one answer of the exchange, without a gap of its making, and `asked_ms` when it was asked.
        """
        told = {row.open_ms: row for row in rows}
        if not told:
            return []
        said = [told[open_ms] for open_ms in sorted(told)]
        if self.next_ms is None:
            return self._begin(said, asked_ms)
        oldest_ms = min(self._published, default=self.next_ms)
        # Of an answer that is behind, the last candle is still the forming one: it corrects nothing.
        closed = [row for row in said[:-1] if oldest_ms <= row.open_ms < self.next_ms]
        out = [row for row in closed if self._published.get(row.open_ms) != row]
        for row in said:
            if row.open_ms < self.next_ms:
                continue
            # A candle that is left out is late, until it has been for long enough.
            if row.open_ms > self.next_ms and asked_ms < row.open_ms + self.settle_ms:
                break
            if not self._is_final(row, said[-1].open_ms, asked_ms):
                break
            self.skipped += (row.open_ms - self.next_ms) // self.step_ms
            self.next_ms = row.open_ms + self.step_ms
            out.append(row)
        self._take(out)
        return out

    def forming(self, row: Closed, now_ms: int) -> Update | None:
        """The bar that is forming, as it is to be published; None if it may not be, or says nothing new.

        It never goes out before all that closed before it: who reads it would take those for complete.
        """
        if row.open_ms != self.next_ms or not row.open_ms <= now_ms <= row.close_ms:
            return None
        shown = self._shown
        # A stream that is out of order: what has been traded is not taken back.
        if shown is not None and shown.open_ms == row.open_ms and row.volume < shown.volume:
            return None
        update = Update(*row, closed=False)
        if update == shown:
            return None
        self._shown = update
        return update

    def _begin(self, said: Sequence[Closed], asked_ms: int) -> list[Closed]:
        """With nothing published the first is the newest that is final."""
        final = [row for row in said if self._is_final(row, said[-1].open_ms, asked_ms)]
        self._take(final[-1:])
        if final:
            self.next_ms = final[-1].open_ms + self.step_ms
        return final[-1:]

    def _is_final(self, row: Closed, newest_ms: int, asked_ms: int) -> bool:
        if asked_ms <= row.close_ms:
            return False
        if row.open_ms < newest_ms:
            return True
        if asked_ms <= row.close_ms + self.settle_ms:
            return False
        agreed, self._witnessed = self._witnessed == row, row
        return agreed

    def _take(self, out: Iterable[Closed]) -> None:
        self._published |= {candle.open_ms: candle for candle in out}
        self._forget()

    def _forget(self) -> None:
        for open_ms in sorted(self._published)[:-_REMEMBERED]:
            del self._published[open_ms]


def _open_ms(candle: Closed) -> int:
    return candle.open_ms
