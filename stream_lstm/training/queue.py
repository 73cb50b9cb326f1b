"""Which trainings come next: by need, several together, alone after a failure, none of a lost partition."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from stream_lstm.candles.series import SeriesKey
from stream_lstm.forecasting.outputs import TrainingRequest

STACK: Final = 8
"""Series that one process fits together at most."""
_BACK_OFF: Final = (1.0, 300.0)  # seconds: first and longest wait after a failure


class Asked(NamedTuple):
    """A training that was asked for while its partition had been lost so many times."""

    request: TrainingRequest
    losses: int


@dataclass(order=True, slots=True)
class _Waiting:
    """A place in the queue: series without a model first, then the one that has waited longest."""

    need: tuple[bool, int]
    asked: Asked = field(compare=False)


class TrainingQueue:
    """The trainings that wait. What was asked for before a partition was dropped is not wanted any more.

    >>> queue = TrainingQueue()
    >>> eth, btc = SeriesKey("binance", "ETH", "1h"), SeriesKey("binance", "BTC", "1h")
    >>> queue.put(TrainingRequest(eth, 0, "expired", due_ms=5))
    >>> queue.put(TrainingRequest(btc, 0, "no model", due_ms=9))
    >>> [asked.request.series.symbol for asked in queue.stack(slots=1)]
    ['BTC', 'ETH']
    """

    def __init__(self) -> None:
        self._heap: list[_Waiting] = []
        self._losses: Counter[Hashable] = Counter()
        self._failures: defaultdict[Hashable, Counter[SeriesKey]] = defaultdict(Counter)

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, request: TrainingRequest) -> None:
        """Queue a training."""
        self.put_again(Asked(request, self._losses[request.partition]))

    def put_again(self, asked: Asked) -> None:
        """Queue a training that has been taken, unless it is not wanted any more."""
        if self.wants(asked):
            need = (asked.request.need != "no model", asked.request.due_ms)
            heapq.heappush(self._heap, _Waiting(need, asked))

    def wants(self, asked: Asked) -> bool:
        """Whether its partition has not been dropped since it was asked for."""
        return asked.losses == self._losses[asked.request.partition]

    def place(self, series: SeriesKey) -> int | None:
        """How many trainings come before that of a series; None if it does not wait."""
        waiting = (one.asked.request.series for one in sorted(self._heap))
        return next((at for at, waits in enumerate(waiting) if waits == series), None)

    def has_failed(self, series: SeriesKey) -> bool:
        """Whether the last training of a series has failed."""
        return any(series in failures for failures in self._failures.values())

    def drop(self, partition: Hashable) -> None:
        """Forget the trainings of a partition, those too that have been taken."""
        self._losses[partition] += 1
        self._failures.pop(partition, None)
        self._heap = [place for place in self._heap if self.wants(place.asked)]
        heapq.heapify(self._heap)

    def stack(self, slots: int) -> list[Asked]:
        """Take what is most needed, leaving the other slots their share; at least one must wait.

        Who has failed is taken alone: it may be the one that has cost its mates their process.
        """
        share = min(STACK, -(-len(self._heap) // slots))
        taken = [heapq.heappop(self._heap).asked]
        while len(taken) < share and not self._has_failed(taken[0], self._heap[0].asked):
            taken.append(heapq.heappop(self._heap).asked)
        return taken

    def failed(self, asked: Asked) -> float:
        """Note a failure; how long to wait before the next attempt, in seconds."""
        failures = self._failures[asked.request.partition]
        failures[asked.request.series] += 1
        first, longest = _BACK_OFF
        return float(min(first * 2 ** (failures[asked.request.series] - 1), longest))

    def succeeded(self, asked: Asked) -> None:
        """Forget the failures of a series."""
        self._failures[asked.request.partition].pop(asked.request.series, None)

    def _has_failed(self, *asked: Asked) -> bool:
        return any(one.request.series in self._failures[one.request.partition] for one in asked)
