"""Which steps the paths of a series show, and how they share their points."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PathPlan(NamedTuple):
    """The steps of the paths to K horizons, each computed once."""

    steps: NDArray[np.float64]
    """(U,) union of the steps of all paths, ascending."""
    counts: tuple[int, ...]
    """The same as plain numbers."""
    members: tuple[tuple[int, ...], ...]
    """For each horizon the indices into `steps` of its path; its own step is the last."""


def path_steps(horizon: int, most: int) -> tuple[int, ...]:
    """Every step to the horizon, thinned evenly to `most`; the horizon itself is always the last.

    >>> path_steps(168, 4)
    (42, 84, 126, 168)
    """
    points = min(horizon, most)
    return tuple(-(-index * horizon // points) for index in range(1, points + 1))


@lru_cache(maxsize=256)
def path_plan(horizons: tuple[int, ...], most: int) -> PathPlan:
    """The plan for horizons of these many candles, ascending, with at most `most` points each."""
    paths = [path_steps(horizon, most) for horizon in horizons]
    union = sorted({step for path in paths for step in path})
    place = {step: index for index, step in enumerate(union)}
    members = tuple(tuple(place[step] for step in path) for path in paths)
    return PathPlan(np.array(union, np.float64), tuple(union), members)
