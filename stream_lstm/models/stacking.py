"""Which fits run side by side: those of equal shape, at most eleven at a time."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final, TypeVar

from stream_lstm.errors import TrainingFailed
from stream_lstm.models.live import Outcome, attempt
from stream_lstm.models.model import Arrays, Model
from stream_lstm.models.training_set import TrainingSet

T = TypeVar("T")

LARGEST: Final = 11
"""Per series a stack of 5 … 11 is fastest; beyond it the state leaves the L2 cache."""


def stacks(jobs: Sequence[T], shape: Callable[[T], Hashable]) -> Iterator[list[int]]:
    """Indices of jobs to stack: of one shape, in order, in parts of nearly equal size.

    >>> list(stacks("abab" * 3, shape=str))
    [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]
    """
    alike: dict[Hashable, list[int]] = {}
    for at, job in enumerate(jobs):
        alike.setdefault(shape(job), []).append(at)
    for members in alike.values():
        parts = -(-len(members) // LARGEST)
        for part in range(parts):
            yield members[part * len(members) // parts : (part + 1) * len(members) // parts]


def fit_stacked(
    sets: Sequence[TrainingSet],
    *,
    prepare: Callable[[TrainingSet], T],
    shape: Callable[[T], Hashable],
    train: Callable[[list[T]], list[Arrays]],
    finish: Callable[[T, Arrays], Model],
) -> list[Outcome]:
    """Prepare each series, train those of one shape side by side, make a model of each, in order."""
    prepared = [attempt(prepare, data) for data in sets]
    outcomes: dict[int, Outcome] = {
        at: job for at, job in enumerate(prepared) if isinstance(job, TrainingFailed)
    }
    jobs = {at: job for at, job in enumerate(prepared) if not isinstance(job, TrainingFailed)}
    places = list(jobs)
    for members in stacks(list(jobs.values()), shape):
        stack = [jobs[places[member]] for member in members]
        for member, job, arrays in zip(members, stack, train(stack), strict=True):
            outcomes[places[member]] = attempt(finish, job, arrays)
    return [outcomes[at] for at in range(len(sets))]
