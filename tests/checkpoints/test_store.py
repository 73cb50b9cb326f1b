"""Checkpoints in a store: what was saved is what is loaded, the year is written once, damage is found."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_lstm.candles.series import Closed
from stream_lstm.checkpoints.codec import Checkpoint, Origin, decode_tail, encode_tail
from stream_lstm.checkpoints.store import CheckpointStore
from stream_lstm.errors import CheckpointUnusable, StoreError
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.partition_state import fingerprint
from stream_lstm.registry.objects import Objects
from tests.forecasting.fed_engine import bodies, candles, engine, feed, moved
from tests.forecasting.test_partition_state import fitted

PLACE = ("candles", 3)


def store(folder: Path, **changes: Any) -> CheckpointStore:
    return CheckpointStore(Objects(folder.as_uri()), "group", **changes)


def checkpoint(made: Engine, offset: int) -> Checkpoint:
    origin = Origin(
        topic=PLACE[0],
        partition=PLACE[1],
        offset=offset,
        partitions=6,
        last_offset=offset - 1,
        last_crc=7,
        fingerprint=fingerprint(made.config),
    )
    return Checkpoint(origin=origin, state=made.export(PLACE), closing={"clock": offset, "series": []})


def save(to: CheckpointStore, made: Engine, offset: int) -> int:
    """Save, and note what is stored now; bytes written."""
    saved = to.save(checkpoint(made, offset))
    for block, name, at in saved.stored:
        block.saved_in, block.saved_at = name, at
    return saved.size


def go_on(made: Engine, rows: list[Closed]) -> list[str]:
    return bodies(feed(made, rows, partition=PLACE))


def at_once(made: Engine, rows: list[list[Closed]]) -> None:
    """Feed several series silently, a candle of each at a time."""
    for moment in zip(*rows, strict=True):
        for candle in moment:
            made.admit(PLACE, candle, None, live=False)
        made.advance(0)


def eight(count: int) -> list[list[Closed]]:
    """Series enough for a segment as soon as each has a full block."""
    return [candles(f"S{at}", count=count, seed=at) for at in range(8)]


def files(folder: Path, kind: str) -> list[str]:
    return sorted(path.name for path in folder.rglob(f"{kind}-*"))


@pytest.mark.slow
def test_what_is_loaded_goes_on_as_what_was_saved(tmp_path: Path) -> None:
    made = engine(history_candles=2_000)
    rows = [candles(symbol, count=1_500, seed=seed) for seed, symbol in enumerate(("AAA", "BBB", "CCC"))]
    at_once(made, [each[:1_300] for each in rows])
    models = fitted(made)
    save(store(tmp_path), made, 100)
    go_on(made, [moved(rows[0][700], 1.1)])  # a stored block is changed
    for each in rows:
        go_on(made, each[1_300:1_330])
    save(store(tmp_path), made, 200)

    loaded = store(tmp_path).load(PLACE, 200)
    assert loaded.origin == checkpoint(made, 200).origin
    assert loaded.closing == {"clock": 200, "series": []}
    other = engine(history_candles=2_000)
    other.restore(PLACE, loaded.state, models)
    for each in rows:
        assert go_on(made, each[1_330:]) == go_on(other, each[1_330:])
    for series in made.all_series():
        twin = other.series(series.key)
        assert twin is not None
        np.testing.assert_array_equal(twin.history.candles(), series.history.candles())
        np.testing.assert_array_equal(twin.history.steps(), series.history.steps())
        np.testing.assert_array_equal(twin.history.synthetic(), series.history.synthetic())


def test_full_blocks_are_written_once(tmp_path: Path) -> None:
    made, to = engine(history_candles=4_000), store(tmp_path)
    rows = eight(600)
    at_once(made, [each[:550] for each in rows])
    first = save(to, made, 100)
    at_once(made, [each[550:] for each in rows])
    second = save(to, made, 200)
    assert first > 8 * 512 * 25
    assert second < first
    assert len(files(tmp_path, "segment")) == 1
    np.testing.assert_array_equal(
        np.concatenate([block.candles[: block.count] for block in to.load(PLACE, 200).state.histories[0]]),
        made.all_series()[0].history.candles(),
    )


@pytest.mark.slow
def test_the_newest_tails_stay_and_segments_that_nobody_needs_go(tmp_path: Path) -> None:
    made, to = engine(history_candles=512), store(tmp_path, keep=2)
    rows = eight(2_600)
    for step in range(5):
        at_once(made, [each[step * 520 : (step + 1) * 520] for each in rows])
        save(to, made, 100 * (step + 1))
    assert to.offsets(PLACE) == [500, 400]
    needed = {
        block.saved_in
        for offset in (400, 500)
        for blocks in to.load(PLACE, offset).state.histories
        for block in blocks
        if block.saved_in
    }
    assert set(files(tmp_path, "segment")) == needed
    assert len(needed) == 2


@pytest.mark.slow
def test_after_a_restart_the_segments_of_older_tails_are_known(tmp_path: Path) -> None:
    made = engine(history_candles=512)
    rows = eight(1_800)
    for step in range(3):
        at_once(made, [each[step * 600 : (step + 1) * 600] for each in rows])
        save(store(tmp_path, keep=3), made, 100 * (step + 1))
    for offset in (100, 200, 300):
        store(tmp_path).load(PLACE, offset)


def test_whoever_was_cut_off_deletes_nothing_that_its_successor_needs(tmp_path: Path) -> None:
    slow, quick = engine(history_candles=2_000), engine(history_candles=2_000)
    rows = eight(1_300)
    old, new = store(tmp_path, keep=1), store(tmp_path, keep=1)
    at_once(slow, [each[:520] for each in rows])
    at_once(quick, [each[:1_100] for each in rows])
    kept = checkpoint(slow, 100)
    save(new, quick, 300)
    old.save(kept)
    assert old.offsets(PLACE) == [100]
    at_once(quick, [each[1_100:1_200] for each in rows])
    save(new, quick, 400)
    new.load(PLACE, 400)


def small() -> bytes:
    made = engine()
    go_on(made, candles(count=120))
    return encode_tail(checkpoint(made, 9), {})


DATA = small()


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_or_a_cut_is_found(at: int, flip: int, cut: bool) -> None:
    bad = DATA[:at] if cut else DATA[:at] + bytes([DATA[at] ^ flip]) + DATA[at + 1 :]
    with pytest.raises(CheckpointUnusable):
        decode_tail(bad, lambda name: [])


def test_a_missing_segment_is_found(tmp_path: Path) -> None:
    made, to = engine(history_candles=5_000), store(tmp_path)
    at_once(made, eight(520))
    save(to, made, 100)
    next(tmp_path.rglob("segment-*")).unlink()
    with pytest.raises(CheckpointUnusable, match="segment-"):
        to.load(PLACE, 100)


def test_a_store_that_cannot_be_written_says_so_and_the_old_checkpoint_stays(tmp_path: Path) -> None:
    made, to = engine(), store(tmp_path)
    go_on(made, candles(count=120))
    save(to, made, 100)
    folder = next(tmp_path.rglob("tail-*")).parent
    kept = folder.rename(folder.with_name("kept"))
    folder.write_text("a file where the folder was")  # as good as a full disk: nothing can be put there
    with pytest.raises(StoreError, match="cannot save"):
        to.save(checkpoint(made, 200))
    folder.unlink()
    kept.rename(folder)
    assert to.offsets(PLACE) == [100]
    assert to.load(PLACE, 100).origin.offset == 100


def test_names_cannot_leave_their_folder(tmp_path: Path) -> None:
    made = engine()
    go_on(made, candles(count=3))
    one = checkpoint(made, 5)
    one = replace(one, origin=replace(one.origin, topic="../../x/y"))
    made_store = CheckpointStore(Objects(tmp_path.as_uri()), "../evil")
    made_store.save(one)
    assert made_store.offsets(("../../x/y", 3)) == [5]
    assert all(tmp_path in path.parents for path in tmp_path.rglob("tail-*"))
    assert len(list(tmp_path.rglob("tail-*"))) == 1
