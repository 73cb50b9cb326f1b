"""Adam against the paper, the clip per series, and the penalty on weights alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_lstm.models import linear_heads
from stream_lstm.models.adam import Adam, Penalty, clip_by_norm
from stream_lstm.models.lstm_layer import LstmEncoder
from stream_lstm.models.network import Network
from stream_lstm.models.parameters import Parameters, Views
from stream_lstm.models.shape import Shape

Floats = NDArray[np.float64]

SHAPE = Shape(series=3, inputs=2, hidden=4, outputs=2, batch=1, steps=1)


def parameters_of(true: int, gradient: int | None) -> Parameters:
    """Parameters and gradient drawn with a seed each; without one the gradient is nothing."""
    blocks = (*LstmEncoder.blocks(SHAPE), *linear_heads.blocks(SHAPE.hidden, SHAPE.outputs))
    parameters = Parameters(blocks, SHAPE.series, np.float64)
    for views, seed in ((parameters.true, true), (parameters.gradient, gradient)):
        if seed is not None:
            views.flat[:] = np.random.default_rng(seed).standard_normal(views.flat.size)
    return parameters


def random_views(seed: int) -> Views:
    return parameters_of(seed, None).true


def norms(views: Views) -> Floats:
    """Norm of each series over all of its parameters."""
    squares = [(segment.reshape(len(segment), -1) ** 2).sum(axis=1) for segment in views.segments]
    norm: Floats = np.sqrt(np.sum(squares, axis=0))
    return norm


def test_adam_moves_as_its_paper_says() -> None:
    parameters = parameters_of(0, 1)
    true, gradient = parameters.true, parameters.gradient
    adam = Adam(parameters, Penalty(), None)
    expected = true.flat.copy()
    first, second = np.zeros_like(expected), np.zeros_like(expected)
    for update in range(1, 30):
        gradient.flat[:] = g = np.random.default_rng(update).standard_normal(expected.size)
        first = 0.9 * first + 0.1 * g
        second = 0.999 * second + 0.001 * g**2
        unbiased = first / (1 - 0.9**update), second / (1 - 0.999**update)
        expected -= 0.01 * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        adam.update(0.01)
        np.testing.assert_allclose(true.flat, expected, rtol=1e-10, atol=1e-13)


def test_only_a_series_beyond_the_limit_is_clipped_and_keeps_its_direction() -> None:
    gradient = random_views(2)
    for segment in gradient.segments:
        segment[1] *= 1e-3
    before, lengths = gradient.flat.copy(), norms(gradient)
    assert lengths[1] < 1 < min(lengths[0], lengths[2])
    untouched = [segment[1].copy() for segment in gradient.segments]
    clip_by_norm(gradient, 1.0)
    np.testing.assert_allclose(norms(gradient), [1.0, lengths[1], 1.0], rtol=1e-12)
    for segment, own in zip(gradient.segments, untouched, strict=True):
        np.testing.assert_array_equal(segment[1], own)
    large = np.abs(before) > 1e-2
    assert (np.sign(gradient.flat[large]) == np.sign(before[large])).all()


def test_a_series_that_blew_up_does_not_change_the_clip_of_another() -> None:
    alone, beside = random_views(3), random_views(3)
    for segment in beside.segments:
        segment[0] = np.nan
    clip_by_norm(alone, 1.0)
    clip_by_norm(beside, 1.0)
    for one, other in zip(alone.segments, beside.segments, strict=True):
        np.testing.assert_array_equal(one[1:], other[1:])


@pytest.mark.parametrize("clip", [None, 1e-9], ids=["unclipped", "clipped to nothing"])
def test_the_penalty_pulls_weights_and_spares_biases_whatever_the_clip(clip: float | None) -> None:
    parameters, moved = parameters_of(4, None), parameters_of(4, None).true
    true = parameters.true
    true.flat[:] = np.abs(true.flat) + 0.1
    before = true.flat.copy()
    Adam(parameters, Penalty(layers=0.1, heads=0.2), clip).update(0.01)
    moved.flat[:] = true.flat - before
    columns = np.arange(SHAPE.operand) != SHAPE.inputs
    # The first step of Adam has the length of the rate wherever there is a gradient.
    np.testing.assert_allclose(moved["lstm"][:, :, columns], -0.01, rtol=1e-5)
    np.testing.assert_allclose(moved["heads"], -0.01, rtol=1e-5)
    assert not moved["lstm"][:, :, SHAPE.inputs].any()
    assert not moved["heads_bias"].any()


def test_a_network_begins_with_xavier_weights_and_open_forget_gates() -> None:
    shape = Shape(series=2, inputs=8, hidden=32, outputs=4, batch=1, steps=1)
    series = [np.zeros((1, 8)), np.zeros((1, 8))], [np.zeros((1, 4)), np.zeros((1, 4))]
    network = Network(shape, *series, encoder=LstmEncoder)
    true = network.parameters.true
    network.initialise(1, np.random.default_rng(0), zero_heads=False)
    for view in true.segments:
        assert not view[0].any(), "another series was touched"
    weights = true["lstm"][1]
    for block, fan_in in ((weights[:, :8], 8), (weights[:, 9:], 32)):
        limit = np.sqrt(6 / (fan_in + 32))
        assert 0.9 * limit < np.abs(block).max() <= limit
        assert abs(block.mean()) < 0.1 * limit
    np.testing.assert_array_equal(weights[:, 8], np.repeat([0.0, 0.0, 1.0, 0.0], 32))  # o, i, f, g
    assert true["heads"][1].any()
    network.initialise(1, np.random.default_rng(0), zero_heads=True)
    assert not true["heads"][1].any()
