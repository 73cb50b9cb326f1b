"""What is done to the workers, and when: drawn from a seed, the same for every run with it."""

import random
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from stream_lstm.errors import SettingsError

Kind = Literal["start", "kill", "stop", "freeze", "thaw", "kill trainer", "kill broker", "start broker"]

_PAUSE: Final = (1.5, 4.0)
"""Seconds between two blows."""
_DOWN: Final = (0.2, 1.5)
"""Seconds until what was killed is started again."""


class Action(NamedTuple):
    """One thing that is done; `worker` is 0 where it concerns none."""

    at: float
    """Seconds since the chaos began."""
    kind: Kind
    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """How much of everything. Raises `SettingsError` for what cannot be."""

    workers: int = 3
    kills: int = 50
    broker_kills: int = 0
    session_s: float = 6.0
    """Half of the frozen workers stay so for longer than this: the group goes on without them."""

    def __post_init__(self) -> None:
        for name, value, least in (("workers", self.workers, 1), ("kills", self.kills, 0)):
            if not least <= value <= 10_000:
                raise SettingsError(f"--{name} {value}: write a number from {least} to 10000")


def plan(chaos: Chaos, seed: int) -> list[Action]:
    """The actions in the order of time. Workers 1 … `workers` run when it begins."""
    drawing = _Drawing(chaos, random.Random(seed))
    few = -(-chaos.kills // 3)
    counts: dict[Kind, int] = {"kill": chaos.kills, "freeze": few, "kill trainer": few}
    counts |= {"start": -(-chaos.kills // 5), "kill broker": chaos.broker_kills}
    blows = [kind for kind, count in counts.items() for _ in range(count)]
    drawing.random.shuffle(blows)
    for blow in blows:
        drawing.strike(blow)
    return sorted(drawing.actions, key=lambda action: action.at)


@dataclass(slots=True)
class _Drawing:
    """The workers as they are after the actions so far."""

    chaos: Chaos
    random: random.Random
    actions: list[Action] = field(default_factory=list)
    at: float = 0.0
    next_worker: int = 0
    awake_from: dict[int, float] = field(default_factory=dict)
    """The workers that run, and since when each may be struck."""

    def __post_init__(self) -> None:
        self.next_worker = self.chaos.workers + 1
        self.awake_from = dict.fromkeys(range(1, self.next_worker), 0.0)

    def strike(self, blow: Kind) -> None:
        """Add one blow and what follows from it."""
        self.at += self.random.uniform(*_PAUSE)
        if blow == "kill broker":
            self._do(blow, 0)
            self._do("start broker", 0, self.random.uniform(*_DOWN))
        elif blow == "start":
            self._resize()
        else:
            self._hit(blow)

    def _hit(self, blow: Kind) -> None:
        victim = self._victim()
        self._do(blow, victim)
        if blow == "kill":
            del self.awake_from[victim]
            self._start(self.random.uniform(*_DOWN))
        elif blow == "freeze":
            session = self.chaos.session_s
            long = self.random.random() < 0.5
            seconds = self.random.uniform(*((session + 1, session + 4) if long else (0.5, session / 2)))
            self._do("thaw", victim, seconds)
            self.awake_from[victim] = self.at + seconds

    def _resize(self) -> None:
        """A worker more, or when there are more than in the beginning, one less."""
        if len(self.awake_from) > self.chaos.workers:
            victim = self._victim()
            self._do("stop", victim)
            del self.awake_from[victim]
        else:
            self._start(0.0)

    def _victim(self) -> int:
        """One that is awake; waits for the first to wake if none is."""
        self.at = max(self.at, min(self.awake_from.values()))
        return self.random.choice([one for one, since in self.awake_from.items() if since <= self.at])

    def _start(self, delay: float) -> None:
        self._do("start", self.next_worker, delay)
        self.awake_from[self.next_worker] = self.at + delay
        self.next_worker += 1

    def _do(self, kind: Kind, worker: int, delay: float = 0.0) -> None:
        self.actions.append(Action(self.at + delay, kind, worker))
