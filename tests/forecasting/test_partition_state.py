"""A partition taken out of one engine and put into another goes on to the bit."""

import copy
import functools
from typing import Any

import numpy as np
import pytest

from stream_lstm.candles.series import Closed
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.partition_state import fingerprint
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.models.model import Model
from stream_lstm.models.registry import fit
from tests.forecasting.fed_engine import HOUR, bodies, candles, engine, feed, moved

P, Q = "candles-0", "candles-1"
SYMBOLS = ("AAA", "BBB", "CCC")


def fitted(made: Engine, name: str = "har") -> dict[Any, Model]:
    """A model for every series that may have one, installed."""
    models = {}
    for series in made.all_series():
        data = made.training_set(series.key)
        if data is None:
            continue
        (model,) = fit(name, [data])
        assert isinstance(model, Model)
        made.install(series.key, model)
        models[series.key] = model
    return models


def running() -> tuple[Engine, dict[Any, Model], list[list[Closed]]]:
    """An engine of one's own in the state of `_running`."""
    return copy.deepcopy(_running())


@functools.cache
def _running() -> tuple[Engine, dict[Any, Model], list[list[Closed]]]:
    """Three series in the middle of their lives, one of another interval, one just begun, beside others."""
    made = engine(history_candles=600)
    rows = [candles(symbol, count=1_400, seed=seed) for seed, symbol in enumerate(SYMBOLS, start=1)]
    four = candles("AAA", count=1_400, seed=9, step_ms=4 * HOUR)
    feed(made, candles("ZZZ", count=30, seed=5), partition=Q)
    feed(made, rows[0][:1_200])
    feed(made, rows[1][:500])
    feed(made, four[:700])
    models = fitted(made)
    feed(made, rows[0][1_200:1_300])
    feed(made, four[700:720])
    feed(made, rows[2][:7])
    return made, models, [rows[0][1_300:], rows[1][500:], rows[2][7:], four[720:]]


def test_restored_it_says_what_it_would_have_said() -> None:
    made, models, rests = running()
    state = made.export(P)
    other = engine(history_candles=600)
    feed(other, candles("YYY", count=120, seed=6), partition=Q)  # rows are not where they were
    other.restore(P, state, models)
    for rest in rests:
        late = moved(rest[3], 1.02)
        rest = [*rest[:5], late, rest[5], moved(rest[5], 0.99), *rest[6:60], *rest[90:200]]
        assert bodies(feed(made, rest)) == bodies(feed(other, rest))
    for series in made.all_series():
        if series.partition == P:
            twin = other.series(series.key)
            assert twin is not None
            np.testing.assert_array_equal(twin.history.candles(), series.history.candles())
            mine, theirs = made.training_set(series.key), other.training_set(series.key)
            if mine is None or theirs is None:
                assert mine is theirs is None
                continue
            np.testing.assert_array_equal(mine.open_ms, theirs.open_ms)
            np.testing.assert_array_equal(mine.state, theirs.state)


def test_exporting_changes_nothing_and_later_candles_do_not_change_what_was_exported() -> None:
    made, _, rests = running()
    untouched, _, _ = running()
    state = made.export(P)
    known = {name: array.copy() for name, array in state.arrays.items()}
    held = [[block.candles[: block.count].copy() for block in blocks] for blocks in state.histories]
    counts = [[block.count for block in blocks] for blocks in state.histories]
    for rest in rests:
        change = [*rest[:40], moved(rest[20], 1.05), moved(rest[39], 0.9)]
        assert bodies(feed(made, change)) == bodies(feed(untouched, change))
    for name, array in state.arrays.items():
        np.testing.assert_array_equal(array, known[name])
    for blocks, before, sizes in zip(state.histories, held, counts, strict=True):
        for block, candles_before, count in zip(blocks, before, sizes, strict=True):
            np.testing.assert_array_equal(block.candles[:count], candles_before)


def test_a_series_whose_model_is_missing_is_answered_without_and_asks_for_one() -> None:
    made, _, rests = running()
    state = made.export(P)
    other = engine(history_candles=600)
    other.restore(P, state, {})
    assert other.admit(P, rests[0][0], None, live=True).requests
    said = other.advance(0)[P]
    assert {one.model_type for one in said.predictions} == {"hybrid"}


def test_a_state_of_another_shape_leaves_nothing_behind() -> None:
    made, models, _ = running()
    state = made.export(P)
    other = engine(horizons=("1h", "4h"), history_candles=600)
    assert fingerprint(other.config) != fingerprint(made.config)
    with pytest.raises((KeyError, ValueError)):
        other.restore(P, state, models)
    assert len(other) == 0


def test_a_partition_without_series_is_restored_too() -> None:
    other = engine()
    other.restore(P, engine().export(P), {})
    assert len(other) == 0


LONG_LIVED = {"history_candles": 600, "expiry_ms": 90 * 24 * HOUR}


def with_a_fresh_model(**changes: Any) -> tuple[Engine, Closed]:
    """An engine that takes over a series with a fresh model from one with other settings; its next candle."""
    made, rows = engine(**LONG_LIVED), candles(count=401)
    feed(made, rows[:400])
    models = fitted(made)
    other = engine(**LONG_LIVED, **changes)
    assert fingerprint(other.config) == fingerprint(made.config)
    other.restore(P, made.export(P), models)
    return other, rows[400]


def test_after_a_change_of_hyper_parameters_all_is_kept_but_its_models_count_as_expired() -> None:
    made, candle = with_a_fresh_model(hyperparameters=Hyperparameters(ridge=1_000.0))
    assert [one.need for one in made.admit(P, candle, None, live=True).requests] == ["expired"]
    said = made.advance(0)[P]
    assert "model.expired" in {event.type for event in said.events}
    assert {(one.model_type, one.body["modelInfo"]["stale"]) for one in said.predictions} == {("har", True)}
    data = made.training_set(candle.series)
    assert data is not None
    assert len(data) == 401
    (successor,) = fit("har", [data])
    assert successor.metadata.config["ridge"] == 1_000.0
    made.install(candle.series, successor)
    assert made.requests(candle.series) == []


def test_what_a_model_does_not_read_makes_none_expire() -> None:
    made, candle = with_a_fresh_model(hyperparameters=Hyperparameters(hidden=8, epochs=9))
    assert made.admit(P, candle, None, live=True).requests == []
