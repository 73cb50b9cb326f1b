"""How far the worker is: written by the event loop, judged by the watchdog and by the health checks.

Stuck is dead. A worker is stuck when its loop does not turn, when a partition has records and does not
move, or when no broker answers: each for longer than the stall time-out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(slots=True)
class _Partition:
    """One partition."""

    owes_since: float | None = None
    """Since when it has records and stands still, seconds of the record's clock; None while it may."""
    position: int = -1
    """Next offset."""
    lag: int = 0
    """Records up to the end of the log."""


@dataclass(slots=True)
class _Seen:
    """Everything that is known; times in seconds of the record's clock."""

    beat_at: float
    heard_at: float
    joined: bool = False
    assigned: bool = False
    restored: bool = False
    partitions: dict[Place, _Partition] = field(default_factory=dict)


class Progress:
    """One record per worker. Every method returns at once and may be called from any thread.

    `clock` gives seconds that never run backwards (`time.monotonic`).

    >>> now = 0.0
    >>> progress = Progress(stall_timeout_s=60, clock=lambda: now)
    >>> progress.observe(("candles", 0), position=7, lag=3)
    >>> now = 61.0
    >>> progress.beat()
    >>> progress.heard(silence_s=0)
    >>> progress.stuck()
    'candles-0 has 3 records to read and has stood at offset 7 for 61 s'
    """

    def __init__(self, *, stall_timeout_s: float, clock: Callable[[], float]) -> None:
        self.stall_timeout_s = stall_timeout_s
        self.clock = clock
        self._lock = Lock()
        self._seen = _Seen(beat_at=clock(), heard_at=clock())

    def beat(self) -> None:
        """The event loop turned."""
        with self._lock:
            self._seen.beat_at = self.clock()

    def heard(self, silence_s: float) -> None:
        """A broker last answered that many seconds ago: so an idle topic with a dead link shows."""
        with self._lock:
            self._seen.heard_at = max(self._seen.heard_at, self.clock() - silence_s)

    def observe(self, partition: Place, *, position: int, lag: int, waiting: bool = False) -> None:
        """Where a partition is; `waiting` while it stands still on purpose (paused for a training)."""
        with self._lock:
            at = self._seen.partitions.setdefault(partition, _Partition())
            if lag == 0 or waiting:
                at.owes_since = None
            elif at.owes_since is None or position != at.position:
                at.owes_since = self.clock()
            at.position, at.lag = position, lag

    def forget(self, partition: Place) -> None:
        """A partition that is not ours any more, or is being restored."""
        with self._lock:
            self._seen.partitions.pop(partition, None)

    def phase(
        self, *, joined: bool | None = None, assigned: bool | None = None, restored: bool | None = None
    ) -> None:
        """Change what is given: member of the group, assignment known, all its partitions live."""
        with self._lock:
            for name, value in (("joined", joined), ("assigned", assigned), ("restored", restored)):
                if value is not None:
                    setattr(self._seen, name, value)

    def stuck(self) -> str | None:
        """Why the process should end; None while it should not."""
        with self._lock:
            now, seen = self.clock(), self._seen
            if now - seen.beat_at > self.stall_timeout_s:
                return f"the event loop has not turned for {now - seen.beat_at:.0f} s"
            for (topic, number), at in seen.partitions.items():
                if at.owes_since is not None and now - at.owes_since > self.stall_timeout_s:
                    stood = f"has stood at offset {at.position} for {now - at.owes_since:.0f} s"
                    return f"{topic}-{number} has {at.lag} records to read and {stood}"
            if seen.joined and now - seen.heard_at > self.stall_timeout_s:
                return f"no broker has answered for {now - seen.heard_at:.0f} s"
            return None

    def livez(self) -> tuple[bool, dict[str, Any]]:
        """Whether it makes progress, or needs none."""
        reason = self.stuck()
        with self._lock:
            now, seen = self.clock(), self._seen
            detail = {
                "reason": reason,
                "loopSeconds": round(now - seen.beat_at, 3),
                "brokerSeconds": round(now - seen.heard_at, 3),
                "partitions": len(seen.partitions),
                "lagRecords": sum(at.lag for at in seen.partitions.values()),
            }
        return reason is None, detail

    def readyz(self) -> tuple[bool, dict[str, Any]]:
        """Whether it is a member whose partitions are all live; one without partitions is ready."""
        with self._lock:
            seen = self._seen
            detail = {"joined": seen.joined, "assigned": seen.assigned, "restored": seen.restored}
        return all(detail.values()), detail
