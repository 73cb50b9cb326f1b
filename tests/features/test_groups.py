"""Groups of features: every column in one, and a set without a group sees nothing of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_lstm.errors import SettingsError
from stream_lstm.features import Features, FeatureSet
from stream_lstm.features.groups import ALL, GROUPS, fingerprint, in_order, kept


def features_of(rows: int) -> Features:
    rng = np.random.default_rng(0)
    columns = (rng.random((rows, count)) + 1 for count in (FeatureSet.P, FeatureSet.F))
    return Features(*columns, *(rng.random(rows) for _ in range(4)))


def test_every_column_is_in_one_group() -> None:
    assert sorted(column for group in GROUPS.values() for column in group.skip) == [*range(FeatureSet.P)]
    assert sorted(column for group in GROUPS.values() for column in group.inputs) == [*range(FeatureSet.F)]


@given(st.sets(st.sampled_from(ALL), min_size=1))
def test_what_is_kept_is_unchanged_and_all_else_is_zero(names: set[str]) -> None:
    seen = features_of(3)
    found = kept(seen, in_order(names))
    for name, group in GROUPS.items():
        for before, after, columns in (
            (seen.skip, found.skip, group.skip),
            (seen.inputs, found.inputs, group.inputs),
        ):
            expected = before[:, list(columns)] if name in names else np.zeros((3, len(columns)))
            np.testing.assert_array_equal(after[:, list(columns)], expected)
    assert (seen.skip != 0).all()
    assert found[2:] == seen[2:]


def test_all_groups_are_the_features_as_they_were_before_there_were_groups() -> None:
    seen = features_of(2)
    assert kept(seen, ALL) is seen
    assert fingerprint(ALL) == FeatureSet().fingerprint


def test_every_set_has_a_fingerprint_of_its_own() -> None:
    sets = [tuple(name for name in ALL if name != left_out) for left_out in (*ALL, None)]
    assert len({fingerprint(names) for names in sets}) == len(sets)


@pytest.mark.parametrize(
    ("names", "told"), [(["rsi"], "'rsi' is no group.*ranges, profile"), ([], "needs some")]
)
def test_an_unknown_group_and_none_are_refused(names: list[str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        in_order(names)
