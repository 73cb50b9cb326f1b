"""Every gradient against finite differences, every layer against the textbook. All in float64.

S series, T steps, B windows, F inputs, H hidden units, K outputs.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_lstm.models import linear_heads
from stream_lstm.models.linear_heads import LinearHeads
from stream_lstm.models.lstm_layer import LstmEncoder, LstmLayer
from stream_lstm.models.network import Network
from stream_lstm.models.parameters import Parameters
from stream_lstm.models.shape import Shape

Floats = NDArray[np.float64]

TOLERANCE = 1e-5
WIDE = Shape(series=3, inputs=3, hidden=5, outputs=2, batch=4, steps=6)
SINGLE = WIDE._replace(series=1)
BOTH = pytest.mark.parametrize("shape", [WIDE, SINGLE], ids=["stack", "single"])


def numerical_gradient(loss: Callable[[], float], parameters: Floats) -> Floats:
    """Central differences of fourth order over every entry of a flat array."""
    gradient = np.empty(parameters.size)
    for at, value in enumerate(parameters.ravel().tolist()):
        around = []
        for shift in (1e-3, -1e-3, 2e-3, -2e-3):
            parameters.flat[at] = value + shift
            around.append(loss())
        parameters.flat[at] = value
        gradient[at] = (8 * (around[0] - around[1]) - (around[2] - around[3])) / 12e-3
    return gradient.reshape(parameters.shape)


def assert_agree(exact: Floats, numerical: Floats) -> None:
    """Relative error of every entry below the tolerance; entries are of the order of 1e-4 … 1."""
    error = np.abs(exact - numerical) / np.maximum(np.abs(exact) + np.abs(numerical), 1e-6)
    assert error.max() < TOLERANCE
    assert np.abs(exact).max() > 1e-3, "a gradient of nothing proves nothing"


def network_of(shape: Shape, seed: int = 0) -> Network:
    """A network with random parameters over series of different lengths."""
    rng = np.random.default_rng(seed)
    lengths = [shape.steps + 6 + at for at in range(shape.series)]
    inputs = [rng.standard_normal((length, shape.inputs)) for length in lengths]
    targets = [rng.standard_normal((length - shape.steps + 1, shape.outputs)) for length in lengths]
    network = Network(shape, inputs, targets, encoder=LstmEncoder, dtype=np.float64)
    network.parameters.true.flat[:] = 0.5 * rng.standard_normal(network.parameters.true.flat.size)
    network.load(np.stack([rng.permutation(7)[: shape.batch] for _ in range(shape.series)]))
    return network


def lstm_of(network: Network) -> LstmLayer:
    assert isinstance(network.encoder, LstmLayer)
    return network.encoder


def textbook(lstm: Floats, heads: Floats, bias: Floats, window: Floats) -> Floats:
    """One LSTM over one window (T, F) as the books write it, gates o, i, f, g: outputs (K,)."""
    count = heads.shape[1]
    hidden, cell = np.zeros(count), np.zeros(count)
    for x in window:
        o, i, f, g = (lstm @ np.concatenate([x, [1.0], hidden])).reshape(4, count)
        o, i, f = (1 / (1 + np.exp(-gate)) for gate in (o, i, f))
        cell = f * cell + i * np.tanh(g)
        hidden = o * np.tanh(cell)
    return heads @ hidden + bias


@BOTH
def test_the_gradient_of_the_lstm_layer_is_that_of_finite_differences(shape: Shape) -> None:
    rng = np.random.default_rng(1)
    weights = 0.5 * rng.standard_normal((shape.series, 4 * shape.hidden, shape.operand))
    layer = LstmLayer(shape, weights, np.zeros_like(weights), np.float64)
    layer.load(rng.standard_normal(layer.input_rows.shape))
    slope = rng.standard_normal(layer.d_hidden.shape)

    def loss() -> float:
        layer.forward()
        return float((slope * layer.hidden).sum())

    loss()
    layer.d_hidden[:] = slope
    layer.backward()
    exact = layer.gradient.copy()
    assert_agree(exact, numerical_gradient(loss, weights))


@BOTH
def test_the_gradients_of_the_heads_are_those_of_finite_differences(shape: Shape) -> None:
    rng = np.random.default_rng(2)
    blocks = (*LstmEncoder.blocks(shape), *linear_heads.blocks(shape.hidden, shape.outputs))
    parameters = Parameters(blocks, shape.series, np.float64)
    layer = LstmEncoder(shape, parameters.true, parameters.gradient, np.float64)
    heads = LinearHeads(shape, parameters, layer, np.float64)
    parameters.true.flat[:] = rng.standard_normal(parameters.true.flat.size)
    layer.hidden[:] = rng.standard_normal(layer.hidden.shape)
    heads.targets[:] = rng.standard_normal(heads.targets.shape)

    def loss() -> float:
        layer.hidden_rows[:] = layer.hidden.transpose(1, 2, 0)
        heads.forward()
        return float(heads.backward().sum())

    loss()
    gradient, true = parameters.gradient, parameters.true
    exact = [array.copy() for array in (gradient["heads"], gradient["heads_bias"], layer.d_hidden)]
    for own, at in zip(exact, (true["heads"], true["heads_bias"], layer.hidden), strict=True):
        assert_agree(own, numerical_gradient(loss, at))


@BOTH
def test_the_network_computes_the_textbook_lstm(shape: Shape) -> None:
    network = network_of(shape)
    network.gradient()
    true, windows = network.parameters.true, lstm_of(network).inputs
    for series in range(shape.series):
        for window in range(shape.batch):
            expected = textbook(
                true["lstm"][series],
                true["heads"][series],
                true["heads_bias"][series],
                windows[:, :, series, window],
            )
            np.testing.assert_allclose(network.heads.outputs[series, :, window], expected, rtol=1e-12)


@BOTH
def test_a_batch_equals_its_windows_one_after_another(shape: Shape) -> None:
    batched, sequential = network_of(shape), network_of(shape._replace(batch=1))
    windows = np.random.default_rng(3).permutation(7)[: shape.batch]
    batched.load(np.tile(windows, (shape.series, 1)))
    loss = batched.gradient()
    losses, outputs, gradients = [], [], []
    for window in windows:
        sequential.load(np.full((shape.series, 1), window))
        losses.append(sequential.gradient())
        outputs.append(sequential.heads.outputs[:, :, 0].copy())
        gradients.append(sequential.parameters.gradient.flat.copy())
    np.testing.assert_allclose(batched.heads.outputs, np.stack(outputs, axis=2), rtol=1e-12)
    np.testing.assert_allclose(loss, np.mean(losses, axis=0), rtol=1e-12)
    mean = np.mean(gradients, axis=0)
    np.testing.assert_allclose(batched.parameters.gradient.flat, mean, rtol=1e-9, atol=1e-14)


def test_float32_computes_what_float64_does() -> None:
    rng = np.random.default_rng(4)
    shape = Shape(series=2, inputs=8, hidden=32, outputs=4, batch=16, steps=20)
    inputs = [rng.standard_normal((80, 8)) for _ in range(2)]
    targets = [rng.standard_normal((61, 4)) for _ in range(2)]
    narrow, wide = (
        Network(shape, inputs, targets, encoder=LstmEncoder, dtype=dtype)
        for dtype in (np.float32, np.float64)
    )
    parameters = 0.2 * rng.standard_normal(wide.parameters.true.flat.size)
    for network in (narrow, wide):
        network.parameters.true.flat[:] = parameters
        network.load(np.stack([np.arange(16), np.arange(16) + 40]))
    np.testing.assert_allclose(narrow.gradient(), wide.gradient(), rtol=1e-5)
    assert narrow.parameters.gradient.flat.dtype == np.float32
    np.testing.assert_allclose(narrow.parameters.gradient.flat, wide.parameters.gradient.flat, atol=2e-6)


def test_gates_that_are_wide_open_or_shut_overflow_nothing() -> None:
    network = network_of(SINGLE)
    layer = lstm_of(network)
    layer.load(1e6 * layer.input_rows)
    loss = network.gradient()
    assert np.isfinite(loss).all()
    assert np.isfinite(network.parameters.gradient.flat).all()
