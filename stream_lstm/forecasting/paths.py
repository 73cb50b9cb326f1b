"""Which steps the paths of a series show, and how they share their points."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PathPlan(NamedTuple):
    """The steps of the paths to K horizons, each computed once."""

    steps: NDArray[np.float64]
    """(U,) union of the steps of all paths, ascending."""
    counts: tuple[tuple[int, ...], ...]
    """For each horizon the steps of its path; its own is the last."""
    members: tuple[NDArray[np.intp], ...]
    """For each horizon the indices into `steps` of its path."""


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
    paths = tuple(path_steps(horizon, most) for horizon in horizons)
    union = sorted({step for path in paths for step in path})
    members = tuple(np.searchsorted(union, path) for path in paths)
    return PathPlan(np.array(union, np.float64), paths, members)
