"""Every network of the registry: exact, the same alone and in a stack, and what its paper says.

S series, T steps, B windows, F inputs, H hidden units, K outputs.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_lstm.models import registry, transformer, transformer_layer
from stream_lstm.models.network import Network
from stream_lstm.models.parameters import Views, allocate
from stream_lstm.models.shape import Shape
from stream_lstm.models.transformer import TransformerEncoder
from stream_lstm.models.transformer_layer import TransformerLayer

Floats = NDArray[np.floating]

TOLERANCE = 1e-5
STEP = 1e-4
WIDE = Shape(series=3, inputs=3, hidden=4, outputs=2, batch=4, steps=6)
NETWORKS = pytest.mark.parametrize("name", registry.NETWORKS)
SHAPES = st.builds(
    Shape,
    series=st.integers(1, 3),
    inputs=st.integers(1, 3),
    hidden=st.sampled_from([4, 6]),
    outputs=st.integers(1, 3),
    batch=st.integers(2, 4),
    steps=st.integers(1, 5),
)


@pytest.fixture(params=[1, 2], ids=["one layer", "two layers"])
def layers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many layers `transformer` has."""
    count: int = request.param
    monkeypatch.setattr(transformer, "PREFIXES", tuple(f"layer_{at}_" for at in range(count)))
    return count


def network_of(name: str, shape: Shape, seed: int = 0, dtype: type[np.floating] = np.float64) -> Network:
    """A network with random parameters over series of different lengths, a batch loaded."""
    rng = np.random.default_rng(seed)
    lengths = [shape.steps + 6 + at for at in range(shape.series)]
    inputs = [rng.standard_normal((length, shape.inputs)) for length in lengths]
    targets = [rng.standard_normal((length - shape.steps + 1, shape.outputs)) for length in lengths]
    network = Network(shape, inputs, targets, encoder=registry.NETWORKS[name].encoder, dtype=dtype)
    network.parameters.true.flat[:] = 0.5 * rng.standard_normal(network.parameters.true.flat.size)
    network.load(np.stack([rng.permutation(7)[: shape.batch] for _ in range(shape.series)]))
    return network


def numerical_slope(loss: Callable[[], float], parameters: Floats, along: Floats) -> float:
    """The slope of the loss along a direction: central differences of sixth order."""
    start, around = parameters.copy(), []
    for shift in (1, -1, 2, -2, 3, -3):
        parameters[:] = start + STEP * shift * along
        around.append(loss())
    parameters[:] = start
    one, two, three = (around[at] - around[at + 1] for at in (0, 2, 4))
    return (45 * one - 9 * two + three) / (60 * STEP)


def assert_exact(network: Network, seed: int) -> None:
    """The gradient of every block, along random directions of it and along each of a few of its entries."""
    parameters, rng = network.parameters, np.random.default_rng(seed)

    def loss() -> float:
        return float(network.gradient().sum())

    loss()
    exact = Views(
        parameters.gradient.flat.copy(),
        {name: block.copy() for name, block in parameters.gradient.named.items()},
    )
    for name, block in parameters.true.named.items():
        own = block.reshape(-1)
        directions = [rng.standard_normal(own.size) for _ in range(2)]
        directions += list(np.eye(own.size)[rng.permutation(own.size)[:6]])
        for along in directions:
            said, found = float(exact[name].reshape(-1) @ along), numerical_slope(loss, own, along)
            assert abs(said - found) <= TOLERANCE * (abs(said) + abs(found)) + 1e-9, name


@NETWORKS
def test_the_gradient_of_every_block_is_that_of_finite_differences(name: str, layers: int) -> None:
    network = network_of(name, WIDE)
    assert_exact(network, 0)
    assert all(np.abs(block).max() > 1e-3 for block in network.parameters.gradient.segments)


@NETWORKS
@settings(max_examples=15, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 1_000))
def test_the_gradient_is_exact_whatever_the_shape(name: str, shape: Shape, seed: int) -> None:
    assert_exact(network_of(name, shape, seed), seed)


@NETWORKS
def test_the_gradient_may_be_asked_for_again_and_again(name: str) -> None:
    network = network_of(name, WIDE)
    loss, gradient = network.gradient().tobytes(), network.parameters.gradient.flat.tobytes()
    assert network.gradient().tobytes() == loss
    assert network.parameters.gradient.flat.tobytes() == gradient


@NETWORKS
def test_float32_computes_what_float64_does(name: str) -> None:
    shape = registry.NETWORKS[name].shape(2, 4)._replace(batch=6)
    narrow, wide = (network_of(name, shape, dtype=dtype) for dtype in (np.float32, np.float64))
    for network in (narrow, wide):
        network.parameters.true.flat[:] = 0.2 * np.random.default_rng(1).standard_normal(
            network.parameters.true.flat.size
        )
    np.testing.assert_allclose(narrow.gradient(), wide.gradient(), rtol=1e-4)
    assert narrow.parameters.gradient.flat.dtype == np.float32
    scale = np.abs(wide.parameters.gradient.flat).max()
    np.testing.assert_allclose(
        narrow.parameters.gradient.flat, wide.parameters.gradient.flat, atol=1e-5 * scale
    )


def trained(name: str, seeds: list[int], series: int) -> list[bytes]:
    """Six updates of networks in a stack, one for each seed: the bytes of losses and parameters of each."""
    shape = registry.NETWORKS[name].shape(series, 4)
    data = [np.random.default_rng(seed) for seed in seeds]
    inputs = [
        rng.standard_normal((shape.batch + 30 + seed, 8)) for rng, seed in zip(data, seeds, strict=True)
    ]
    targets = [rng.standard_normal((len(own) - 19, 4)) for rng, own in zip(data, inputs, strict=True)]
    network = Network(shape, inputs, targets, encoder=registry.NETWORKS[name].encoder, clip=0.5)
    for at, rng in enumerate(data):
        network.initialise(at, rng, zero_heads=False)
    orders = np.array([[rng.permutation(shape.batch + 5) for rng in data] for _ in range(6)])
    told = np.array([network.step(order[:, : shape.batch], 3e-3) for order in orders])
    true = network.parameters.true
    return [
        told[:, at].tobytes() + b"".join(block.tobytes() for block in true.of(at).values())
        for at in range(series)
    ]


@NETWORKS
@pytest.mark.parametrize("size", [2, 5, 11])
def test_a_network_trains_to_the_same_bits_in_a_stack_of_any_size(name: str, size: int) -> None:
    alone = [trained(name, [seed], 1)[0] for seed in range(size)]
    assert trained(name, list(range(size)), size) == alone
    assert trained(name, list(range(size))[::-1], size) == alone[::-1]


@NETWORKS
def test_a_planted_pattern_is_learned(name: str) -> None:
    """The target is what the input did five steps before the end, times what it does there."""
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((900, 1))
    ends = np.arange(19, 900)
    targets = (inputs[ends] * np.sign(inputs[ends - 5])).reshape(-1, 1)
    shape = Shape(1, 1, 16, 1, 64, 20)
    network = Network(shape, [inputs], [targets], encoder=registry.NETWORKS[name].encoder, clip=1.0)
    network.initialise(0, rng, zero_heads=True)
    losses = []
    for _ in range(80):
        order = rng.permutation(len(targets))[: 64 * 13].reshape(13, 1, 64)
        losses.append(np.mean([network.step(windows, 5e-3)[0] for windows in order]))
    assert losses[0] > 0.8
    assert losses[-1] < 0.4 * losses[0], "hardly anything of it is learned"


@NETWORKS
def test_a_network_begins_as_nothing_and_from_its_own_generator(name: str) -> None:
    network = network_of(name, WIDE)
    network.parameters.true.flat[:] = 0
    network.initialise(1, np.random.default_rng(5), zero_heads=True)
    own, other = network.parameters.true.of(1), network.parameters.true.of(0)
    assert not own["heads"].any()
    assert not any(block.any() for block in other.values()), "another series was touched"
    drawn = {block: array.copy() for block, array in own.items()}
    network.initialise(1, np.random.default_rng(5), zero_heads=True)
    for block, array in own.items():
        np.testing.assert_array_equal(array, drawn[block])
    for block in network.parameters.blocks:
        assert drawn[block.name].any() or block.role in ("heads", "free"), block.name


# The transformer


def layer_of(shape: Shape, asking: int, seed: int = 0) -> tuple[TransformerLayer, Views]:
    """A layer with random weights, in which the last steps ask."""
    blocks = TransformerLayer.blocks("", shape.hidden)
    true, gradient = (allocate(blocks, shape.series, np.float64) for _ in range(2))
    true.flat[:] = 0.5 * np.random.default_rng(seed).standard_normal(true.flat.size)
    sizes = (shape.series, shape.hidden, shape.steps, shape.batch, asking)
    return TransformerLayer("", true, gradient, sizes, np.float64), true


@given(step=st.integers(0, WIDE.steps - 1), seed=st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_what_a_layer_says_at_a_step_does_not_depend_on_later_ones(step: int, seed: int) -> None:
    S, _, D, _, B, T = WIDE
    layer, _ = layer_of(WIDE, asking=T, seed=seed)
    x = np.random.default_rng(seed).standard_normal((S, D, T, B))
    layer.forward(x.reshape(S, D, T * B))
    before = layer.out.reshape(S, D, T, B).copy()
    x[:, :, step:] += np.random.default_rng(seed + 1).standard_normal((S, D, T - step, B))
    layer.forward(x.reshape(S, D, T * B))
    after = layer.out.reshape(S, D, T, B)
    np.testing.assert_array_equal(after[:, :, :step], before[:, :, :step])
    assert (after[:, :, step] != before[:, :, step]).any()


def test_what_the_last_step_says_is_the_same_when_only_it_asks() -> None:
    S, _, D, _, B, T = WIDE
    x = np.random.default_rng(1).standard_normal((S, D, T * B))
    everything, last = layer_of(WIDE, asking=T)[0], layer_of(WIDE, asking=1)[0]
    everything.forward(x)
    last.forward(x)
    np.testing.assert_allclose(last.out, everything.out[..., -B:], rtol=1e-12)


def normed(x: Floats) -> Floats:
    """Rows (T, D) with mean 0 and deviation 1."""
    centred = x - x.mean(axis=1, keepdims=True)
    scaled: Floats = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return scaled


def affine(weights: Floats, x: Floats) -> Floats:
    """Rows (T, n) times weights (m, n + 1), bias last."""
    said: Floats = x @ weights[:, :-1].T + weights[:, -1]
    return said


def textbook_transformer(own: Mapping[str, Floats], window: Floats, layers: int) -> Floats:
    """A pre-norm encoder over a window (T, F) as the papers write it: what the last step says, normed."""
    x = affine(own["embedding"], window) + own["positions"].T
    T, D = x.shape
    size = D // transformer_layer.HEADS
    for at in range(layers):
        q, k, v = np.split(affine(own[f"layer_{at}_attend"], normed(x)), 3, axis=1)
        said = []
        for head in range(transformer_layer.HEADS):
            part = slice(head * size, (head + 1) * size)
            scores = q[:, part] @ k[:, part].T / np.sqrt(size)
            scores[np.triu_indices(T, 1)] = -np.inf
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            said.append(shares / shares.sum(axis=1, keepdims=True) @ v[:, part])
        x = x + affine(own[f"layer_{at}_project"], np.hstack(said))
        wide = affine(own[f"layer_{at}_widen"], normed(x))
        x = x + affine(own[f"layer_{at}_narrow"], wide / (1 + np.exp(-wide)))
    last: Floats = normed(x)[-1]
    return last


def textbook_lstm(weights: Floats, window: Floats) -> Floats:
    """The states (T, H) of an LSTM over a window (T, F); gates o, i, f, g."""
    hidden = cell = np.zeros(len(weights) // 4)
    states = []
    for x in window:
        o, i, f, g = (weights @ np.concatenate([x, [1.0], hidden])).reshape(4, -1)
        o, i, f = (1 / (1 + np.exp(-gate)) for gate in (o, i, f))
        cell = f * cell + i * np.tanh(g)
        hidden = o * np.tanh(cell)
        states.append(hidden)
    return np.array(states)


def textbook_attention(own: Mapping[str, Floats], window: Floats) -> Floats:
    """Luong's global attention over the states of an LSTM, and the last of them."""
    states = textbook_lstm(own["lstm"], window)
    scores = states @ (own["query"][:, 1:] @ states[-1] + own["query"][:, 0]) / np.sqrt(states.shape[1])
    shares = np.exp(scores) / np.exp(scores).sum()
    return np.concatenate([shares @ states, states[-1]])


def textbook_bilstm(own: Mapping[str, Floats], window: Floats) -> Floats:
    """The last states of two LSTMs, the second over the window reversed."""
    ways = (("lstm", window), ("lstm_reversed", window[::-1]))
    return np.concatenate([textbook_lstm(own[block], way)[-1] for block, way in ways])


def assert_is(network: Network, textbook: Callable[[Mapping[str, Floats], Floats], Floats]) -> None:
    """What the encoder makes of every window of its batch is what the formula does."""
    S, F, _, _, B, T = network.shape
    windows = np.random.default_rng(9).standard_normal((T, S, B, F))
    network.encoder.load(windows)
    network.encoder.forward()
    for series in range(S):
        own = network.parameters.true.of(series)
        for window in range(B):
            expected = textbook(own, windows[:, series, window])
            np.testing.assert_allclose(
                network.encoder.hidden[:, series, window], expected, rtol=1e-9, atol=1e-12
            )
            np.testing.assert_allclose(
                network.encoder.hidden_rows[series, window], expected, rtol=1e-9, atol=1e-12
            )


def test_the_bilstm_is_that_of_the_books() -> None:
    assert_is(network_of("bilstm", WIDE), textbook_bilstm)


def test_the_attention_is_that_of_its_paper() -> None:
    assert_is(network_of("attention", WIDE), textbook_attention)


def test_the_transformer_is_that_of_its_papers(layers: int) -> None:
    network = network_of("transformer", WIDE)
    assert isinstance(network.encoder, TransformerEncoder)
    assert len(network.encoder.layers) == layers
    assert_is(network, lambda own, window: textbook_transformer(own, window, layers))
