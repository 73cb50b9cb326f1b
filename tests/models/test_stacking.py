"""Whoever shares a stack: every series ends with the bits that it has alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_lstm.errors import TrainingFailed
from stream_lstm.models import registry
from stream_lstm.models.adam import Penalty
from stream_lstm.models.lstm_layer import LstmEncoder
from stream_lstm.models.model import Model
from stream_lstm.models.network import Network
from stream_lstm.models.shape import Shape
from stream_lstm.models.stacking import LARGEST, stacks
from stream_lstm.models.training_set import TrainingSet

STEPS = 20


class Job(NamedTuple):
    """One series of a network: its data, first parameters, and batches."""

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    lstm: NDArray[np.float64]
    heads: NDArray[np.float64]
    batches: NDArray[np.intp]


def job(seed: int, shape: Shape, updates: int) -> Job:
    rng = np.random.default_rng(seed)
    windows = shape.batch + 5 + seed  # no two series are of one length
    return Job(
        rng.standard_normal((windows + STEPS - 1, shape.inputs)),
        rng.standard_normal((windows, shape.outputs)),
        0.3 * rng.standard_normal((4 * shape.hidden, shape.operand)),
        0.3 * rng.standard_normal((shape.outputs, shape.hidden)),
        np.stack([rng.permutation(windows)[: shape.batch] for _ in range(updates)]),
    )


def trained(jobs: Sequence[Job], shape: Shape) -> list[bytes]:
    """Train the jobs side by side; the bytes of each series' losses and parameters."""
    network = Network(
        shape._replace(series=len(jobs)),
        [each.inputs for each in jobs],
        [each.targets for each in jobs],
        encoder=LstmEncoder,
        penalty=Penalty(1e-3, 1e-2),
        clip=0.5,
    )
    true = network.parameters.true
    for at, each in enumerate(jobs):
        true["lstm"][at], true["heads"][at] = each.lstm, each.heads
    batches = np.stack([each.batches for each in jobs], axis=1)
    losses = np.array([network.step(windows, 3e-3) for windows in batches])
    return [
        losses[:, at].tobytes() + b"".join(segment[at].tobytes() for segment in true.segments)
        for at in range(len(jobs))
    ]


@pytest.mark.parametrize(("inputs", "outputs", "batch"), [(8, 4, 128), (8, 3, 32), (1, 1, 32)])
def test_a_series_trains_to_the_same_bits_in_a_stack_of_any_size(
    inputs: int, outputs: int, batch: int
) -> None:
    shape = Shape(1, inputs, 32, outputs, batch, STEPS)
    jobs = [job(seed, shape, updates=6) for seed in range(LARGEST)]
    alone = [trained([each], shape)[0] for each in jobs]
    for size in range(2, LARGEST + 1):
        assert trained(jobs[-size:], shape) == alone[-size:], f"in a stack of {size}"
    assert trained(jobs[::-1], shape) == alone[::-1]


def test_a_series_that_blows_up_changes_no_bit_of_its_mates() -> None:
    shape = Shape(1, 8, 32, 4, 32, STEPS)
    jobs = [job(seed, shape, updates=6) for seed in range(5)]
    jobs[2] = jobs[2]._replace(inputs=np.full_like(jobs[2].inputs, np.nan))
    together = trained(jobs, shape)
    for at in (0, 1, 3, 4):
        assert together[at] == trained([jobs[at]], shape)[0]


@given(st.lists(st.sampled_from("abc"), max_size=60))
@settings(max_examples=50)
def test_stacks_hold_every_job_once_of_one_shape_and_not_too_many(shapes: list[str]) -> None:
    parts = list(stacks(shapes, shape=str))
    assert sorted(at for part in parts for at in part) == list(range(len(shapes)))
    for part in parts:
        assert len({shapes[at] for at in part}) == 1
        assert 1 <= len(part) <= LARGEST


def bits(model: Model) -> tuple[str, dict[str, bytes]]:
    return model.model_id, {name: array.tobytes() for name, array in model.arrays.items()}


@pytest.mark.parametrize("name", list(registry.MODEL_TYPES))
def test_the_same_seed_and_candles_give_the_same_model_whoever_shares_the_fit(
    name: str, training_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_lstm.models.classic.EPOCHS", 5)
    sets = [training_set(mate, 800) for mate in "ABC"] + [training_set("D", 750), training_set("E", 300)]
    together = registry.fit(name, sets)
    again = registry.fit(name, sets[::-1])[::-1]
    for data, one, other in zip(sets, together, again, strict=True):
        assert one.series == data.series
        assert bits(one) == bits(other) == bits(registry.fit(name, [data])[0])


@pytest.mark.parametrize("name", [*registry.NETWORKS, "classic"])
def test_another_seed_gives_another_network(
    name: str, training_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_lstm.models.classic.EPOCHS", 5)
    one, other = (registry.fit(name, [training_set("A", 800, seed=seed)])[0] for seed in (1, 2))
    assert (one.arrays["heads"] != other.arrays["heads"]).mean() > 0.9
    assert one.model_id != other.model_id


def broken(data: TrainingSet, value: float, column: int) -> TrainingSet:
    """The same set with one absurd number in its middle."""
    candles = data.candles.copy()
    candles[len(candles) // 2, column] = value
    return replace(data, candles=candles)


BROKEN = {
    "a price that is no number": (np.nan, 3),
    "an infinite high": (np.inf, 1),
    "a price of zero": (0.0, 2),
    "a negative volume": (-1.0, 4),
    "a volume that is no number": (np.nan, 4),
}


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("name", ["lstm", "har", "classic"])
def test_an_absurd_candle_fails_its_own_series_and_spares_the_others(
    name: str, fault: str, training_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_lstm.models.classic.EPOCHS", 2)
    good = [training_set(mate, 700) for mate in "AC"]
    bad = broken(training_set("B", 700), *BROKEN[fault])
    first, failure, last = registry.fit_each(name, [good[0], bad, good[1]])
    assert isinstance(failure, TrainingFailed)
    assert bad.series in str(failure)
    assert str(len(bad) // 2) in str(failure), "the message names the candle"
    for data, model in zip(good, (first, last), strict=True):
        assert isinstance(model, Model)
        assert bits(model) == bits(registry.fit(name, [data])[0])
    with pytest.raises(TrainingFailed, match=bad.series):
        registry.fit(name, [good[0], bad])


@pytest.mark.parametrize("name", ["lstm", "har", "classic"])
def test_a_history_that_is_too_short_is_refused_with_how_many_it_takes(
    name: str, training_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_lstm.models.classic.EPOCHS", 2)
    short, enough = training_set("A", 99), training_set("B", 300)
    failure, model = registry.fit_each(name, [short, enough])
    assert isinstance(failure, TrainingFailed)
    assert "99 candles" in str(failure)
    assert "100" in str(failure)
    assert isinstance(model, Model)


@pytest.mark.parametrize("name", ["lstm", "har", "classic"])
def test_a_history_of_gap_fills_alone_teaches_nothing(
    name: str, training_set: Callable[..., TrainingSet]
) -> None:
    filled = training_set("A", 300, synthetic=np.ones(300, np.bool_))
    with pytest.raises(TrainingFailed, match="real candle"):
        registry.fit(name, [filled])


def test_horizons_beyond_the_history_are_refused_with_the_way_out(
    training_set: Callable[..., TrainingSet],
) -> None:
    with pytest.raises(TrainingFailed, match="add a shorter horizon"):
        registry.fit("har", [training_set("A", 300, horizons=(24,))])
