"""Which workers there are, as far as events tell: who took which partition, who started, who stopped."""

from collections import OrderedDict
from typing import Final

from stream_lstm.contracts.event import Event, PartitionRestored

_MOST: Final = 1_000


class Workers:
    """A worker that was killed says nothing: it goes when others have taken its partitions.

    >>> workers = Workers()
    >>> data = {"topic": "candles", "partition": 0, "offset": 7}
    >>> workers.take(Event(id="1", type="partition.restored", at=0, worker_id="a", data=data))
    >>> workers.sentence
    '1 worker, 1 partition'
    >>> workers.take(Event(id="2", type="worker.stopped", at=0, worker_id="a"))
    >>> workers.sentence
    'all workers have stopped'
    """

    def __init__(self) -> None:
        self._owners: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._started: OrderedDict[str, int] = OrderedDict()
        self._stopped = False

    def take(self, event: Event) -> None:
        """An event of any type; most tell nothing about workers."""
        if event.worker_id is None:
            return
        said = event.payload
        if isinstance(said, PartitionRestored):
            self._owners[said.topic, said.partition] = event.worker_id
            self._started.pop(event.worker_id, None)
        elif event.type == "worker.started":
            self._started[event.worker_id] = event.at
        elif event.type == "worker.stopped":
            self._stopped = True
            self._started.pop(event.worker_id, None)
            for place in [place for place, owner in self._owners.items() if owner == event.worker_id]:
                del self._owners[place]
        for bounded in (self._owners, self._started):
            while len(bounded) > 10 * _MOST:
                bounded.popitem(last=False)

    @property
    def all_stopped(self) -> bool:
        """Whether some have stopped, and none is known to run."""
        return self._stopped and not self._owners and not self._started

    @property
    def sentence(self) -> str:
        """How many, and what they have."""
        if self.all_stopped:
            return "all workers have stopped"
        workers, partitions = len(set(self._owners.values())), len(self._owners)
        if not workers:
            return "a worker is starting" if self._started else "no worker has been heard of"
        told = f"{workers} worker{'s' * (workers != 1)}, {partitions} partition{'s' * (partitions != 1)}"
        return f"{told}, {len(self._started)} starting" if self._started else told
