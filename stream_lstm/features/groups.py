"""Named groups of features: what a model can be asked to do without. Every column is in one group.

The engine computes all of them all the same; a model whose set leaves a group out sees zeros in its place, in
training, and has no weight on it ever after.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.errors import SettingsError
from stream_lstm.features.feature_set import Features, FeatureSet


class Group(NamedTuple):
    """Columns of `Features`."""

    skip: tuple[int, ...]
    inputs: tuple[int, ...] = ()


GROUPS: Final = {
    "ranges": Group((*range(10),), (0, 4)),
    "profile": Group((*range(10, 15),)),
    "returns": Group((*range(15, 21),), (1, 2)),
    "volume": Group((*range(21, 24),), (3,)),
    "hour": Group((*range(24, 30),), (5, 6)),
    "new-york": Group((*range(30, 34),)),
    "weekday": Group((*range(34, 37),), (7,)),
}
"""Range volatility at seven speeds and of the last candles; its own past at this time of the day and of the
week; signed returns and momentum; volume; hour of day in UTC; New York's clock; weekend, Friday, Sunday."""

ALL: Final = tuple(GROUPS)


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """The groups in the order of `GROUPS`, each once; `SettingsError` if one is unknown or there is none.

    >>> in_order(["hour", "ranges"])
    ('ranges', 'hour')
    """
    unknown = [name for name in names if name not in GROUPS]
    if unknown or not names:
        told = f"{unknown[0]!r} is no group of features" if unknown else "a model needs some features"
        raise SettingsError(f"{told}; choose from {', '.join(ALL)}")
    return tuple(name for name in GROUPS if name in names)


def fingerprint(names: tuple[str, ...]) -> str:
    """What a model file records: that of the feature set, and the groups if they are not all.

    >>> fingerprint(("ranges", "hour")) == f"{fingerprint(ALL)}:ranges,hour"
    True
    """
    whole = FeatureSet().fingerprint
    return whole if names == ALL else f"{whole}:{','.join(names)}"


def kept(seen: Features, names: tuple[str, ...]) -> Features:
    """The features with zeros in the columns of all other groups; as they are if all are named."""
    if names == ALL:
        return seen
    others = [group for name, group in GROUPS.items() if name not in names]
    return seen._replace(
        skip=_without(seen.skip, [column for group in others for column in group.skip]),
        inputs=_without(seen.inputs, [column for group in others for column in group.inputs]),
    )


def _without(columns: NDArray[np.float64], left_out: list[int]) -> NDArray[np.float64]:
    """A copy of (N, …) with some columns zero."""
    copy = columns.copy()
    copy[:, left_out] = 0.0
    return copy
