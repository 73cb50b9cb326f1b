"""Networks on the residual, and `classic`: what they train on, when they stop, and what they say live."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_lstm.errors import TrainingFailed
from stream_lstm.features import FeatureSet
from stream_lstm.models import classic, har, registry, residual
from stream_lstm.models.level import log_scale
from stream_lstm.models.live import LiveModels, Outcome
from stream_lstm.models.market_view import MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.network import Network
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]
Loss = NDArray[np.float64]

LSTM = registry.model_type("lstm")
NETWORKS = pytest.mark.parametrize("name", registry.NETWORKS)


def only(outcomes: list[Outcome]) -> Model:
    (model,) = outcomes
    assert isinstance(model, Model)
    return model


def textbook(model: Model, window: Floats) -> Floats:
    """The model's LSTM over one scaled window (T, F), as the books write it: outputs (J,)."""
    hidden, cell = np.zeros(32), np.zeros(32)
    weights = model.arrays["lstm"].astype(np.float64)
    for x in window:
        o, i, f, g = (weights @ np.concatenate([x, [1.0], hidden])).reshape(4, 32)
        o, i, f = (1 / (1 + np.exp(-gate)) for gate in (o, i, f))
        cell = f * cell + i * np.tanh(g)
        hidden = o * np.tanh(cell)
    said: Floats = model.arrays["heads"] @ hidden + model.arrays["heads_bias"]
    return said


def live_of(name: str, model: Model) -> LiveModels:
    """The model in the first slot of its type."""
    live = registry.model_type(name).live(len(model.heads))
    live.grow(1)
    live.put(0, model)
    return live


def corrections(name: str, model: Model, window: Floats) -> Floats:
    """What the network says to one scaled window (T, F) as it is trained, in float64: outputs (J,)."""
    network = registry.NETWORKS[name]
    shape = network.shape(1, len(model.heads))._replace(batch=1)
    trained = Network(
        shape, [window], [np.zeros((1, shape.outputs))], encoder=network.encoder, dtype=np.float64
    )
    for block, array in trained.parameters.true.of(0).items():
        array[:] = model.arrays[block]
    trained.load(np.zeros((1, 1), np.intp))
    trained.gradient()
    said: Floats = trained.heads.outputs[0, :, 0]
    return said


@NETWORKS
def test_the_linear_part_of_a_network_is_har_and_frozen(
    name: str, training_set: Callable[..., TrainingSet]
) -> None:
    data = training_set("A", 1000)
    linear, whole = only(har.TYPE.fit([data])), only(registry.fit_each(name, [data]))
    for array_name, array in linear.arrays.items():
        np.testing.assert_array_equal(whole.arrays[array_name], array)
    assert whole.arrays["heads"].any()
    network = whole.arrays.keys() - linear.arrays.keys() - {"input_mean", "input_scale"}
    assert {whole.arrays[block].dtype for block in network} == {np.dtype(np.float32)}
    assert whole.metadata.config["hiddenSize"] == registry.NETWORKS[name].hidden


@NETWORKS
def test_under_500_windows_a_network_says_nothing(
    name: str, training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    # 24 candles ahead and 20 behind: 542 candles have 499 windows.
    short, enough = training_set("A", 542), training_set("A", 543)
    young, model = registry.fit(name, [short, enough])
    assert not young.arrays["heads"].any()
    assert model.arrays["heads"].any()
    live, linear = live_of(name, young), live_of("har", young)
    view, slot = view_of(short), np.array([0])
    np.testing.assert_array_equal(live.forecast(slot, view).log_scale, linear.forecast(slot, view).log_scale)


@NETWORKS
def test_live_a_network_says_its_ridge_and_what_it_says_in_training(
    name: str, training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    data = training_set("A", 1000)
    model = only(registry.fit_each(name, [data]))
    view, arrays = view_of(data), model.arrays
    window = (view.window[0] - arrays["input_mean"]) * arrays["input_scale"]
    correction = corrections(name, model, window)
    ratios = view.skip[0] @ arrays["skip_weights"] + arrays["skip_bias"] + correction
    expected = log_scale(ratios[[0, 1, 2, 2]], view.log_base, view.log_slow, view.steps[0])
    said = live_of(name, model).forecast(np.array([0]), view)
    np.testing.assert_allclose(said.log_scale[0], expected, atol=1e-5)
    assert np.abs(correction).max() > 1e-4


@NETWORKS
def test_every_candle_of_the_window_is_read(
    name: str, training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    data = training_set("A", 1000)
    live, view = live_of(name, only(registry.fit_each(name, [data]))), view_of(data)
    said = live.forecast(np.array([0]), view).log_scale
    for step in range(20):
        other = replace(view, window=view.window.copy())
        other.window[0, step] += 1.0
        assert (live.forecast(np.array([0]), other).log_scale != said).any(), f"step {step} is not read"


def test_an_lstm_computes_the_textbook_one(
    training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    data = training_set("A", 1000)
    model = only(LSTM.fit([data]))
    window = (view_of(data).window[0] - model.arrays["input_mean"]) * model.arrays["input_scale"]
    np.testing.assert_allclose(corrections("lstm", model, window), textbook(model, window), atol=1e-12)


@NETWORKS
def test_a_network_learns_the_residual_of_the_newest_windows(
    name: str, training_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[int], Loss]] = []
    run_epoch = residual.run_epoch

    def watched(network: Network, order: NDArray[np.intp], rates: Sequence[float]) -> Loss:
        loss = run_epoch(network, order, rates)
        seen.append((set(order[0].tolist()), loss))
        return loss

    monkeypatch.setattr(residual, "run_epoch", watched)
    registry.fit(name, [training_set("A", 1000)])
    windows, losses = zip(*seen, strict=True)
    # The last window ends 24 candles before the end: its targets are over. 957 windows, 7 batches of 128.
    newest = 1000 - 1 - 24 - 19
    assert windows == (set(range(newest - 7 * 128 + 1, newest + 1)),) * residual.EPOCHS
    assert losses[-1] < losses[0]


@NETWORKS
def test_inputs_without_variance_are_ignored(name: str, training_set: Callable[..., TrainingSet]) -> None:
    flat = training_set("A", 800)
    flat.candles[:, 4] = 0.0  # no volume, ever
    model = only(registry.fit_each(name, [flat]))
    surge = 3
    assert model.arrays["input_scale"][surge] == 0
    assert np.delete(model.arrays["input_scale"], surge).all()
    assert len(model.arrays["input_scale"]) == FeatureSet.F


def with_closes(data: TrainingSet, closes: Floats) -> TrainingSet:
    data.candles[:, 3] = closes
    return data


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[Loss]:
    """The mean loss (S,) of every epoch that `classic` runs."""
    seen: list[Loss] = []
    run_epoch = classic.run_epoch

    def watched(network: Network, order: NDArray[np.intp], rates: Sequence[float]) -> Loss:
        loss = run_epoch(network, order, rates)
        seen.append(loss.copy())
        return loss

    monkeypatch.setattr(classic, "run_epoch", watched)
    return seen


def test_classic_stops_when_it_is_good_enough(
    training_set: Callable[..., TrainingSet], epochs: list[Loss]
) -> None:
    easy = with_closes(training_set("A", 500), 1 + 0.1 * np.sin(np.arange(500) / 20))
    classic.fit([easy])
    assert 1 < len(epochs) < classic.EPOCHS
    assert epochs[-1][0] < classic.GOOD_ENOUGH
    assert min(loss[0] for loss in epochs[:-1]) >= classic.GOOD_ENOUGH


def test_a_series_that_is_good_enough_keeps_those_weights_while_its_mate_goes_on(
    training_set: Callable[..., TrainingSet], epochs: list[Loss], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classic, "EPOCHS", 40)
    easy = with_closes(training_set("A", 300), 1 + 0.1 * np.sin(np.arange(300) / 20))
    hard = with_closes(training_set("B", 300), 1 + np.random.default_rng(0).random(300))
    alone = [only(classic.fit([data])) for data in (easy, hard)]
    epochs.clear()
    together = classic.fit([easy, hard])
    assert len(epochs) == 40
    good = [loss[0] < classic.GOOD_ENOUGH for loss in epochs]
    assert good.index(True) < 39
    for one, other in zip(alone, together, strict=True):
        assert isinstance(other, Model)
        for name, array in one.arrays.items():
            np.testing.assert_array_equal(array, other.arrays[name])


def test_classic_learns_from_the_last_500_closes_scaled_to_one(
    training_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classic, "EPOCHS", 1)
    data = training_set("A", 700)
    model = only(classic.fit([data]))
    closes = data.candles[-500:, 3].astype(np.float64)
    assert model.arrays["scaler"].tolist() == [closes.min(), np.ptp(closes)]
    data.candles[:200] *= 3.0
    same = only(classic.fit([data]))
    np.testing.assert_array_equal(same.arrays["lstm"], model.arrays["lstm"])


def test_classic_feeds_its_predictions_back(
    training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    data = training_set("A", 500)
    model = only(classic.fit([data]))
    live = classic.LiveClassic(3)
    live.grow(1)
    live.put(0, model)
    view = view_of(data)
    lowest, width = model.arrays["scaler"]
    scaled = ((view.closes[0] - lowest) / width).tolist()
    for _ in range(24):
        # The state is carried on from the window's first close: nothing is forgotten on the way.
        scaled.append(float(textbook(model, np.array(scaled)[:, None])[0]))
    said = live.forecast(np.array([0]), view)
    path = np.array(scaled[20:]) * width + lowest
    expected = np.log(path[[0, 3, 23, 23]] / view.closes[0, -1])
    np.testing.assert_allclose(said.location[0], expected, atol=1e-5)
    np.testing.assert_allclose(said.log_scale[0], view.log_ewma + 0.5 * np.log(view.steps[0]))
    assert said.heads.tolist() == [3]


def test_classic_has_nothing_to_learn_from_a_price_that_never_moves(
    training_set: Callable[..., TrainingSet],
) -> None:
    still = training_set("A", 300)
    still.candles[:, :4] = 1.0
    (failure,) = classic.fit([still])
    assert isinstance(failure, TrainingFailed)
    assert "all the same" in str(failure)


@NETWORKS
def test_a_price_that_never_moves_is_no_trouble_to_a_network(
    name: str, training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    still = training_set("A", 700)
    still.candles[:, :4] = 1.0
    live = live_of(name, only(registry.fit_each(name, [still])))
    assert np.isfinite(live.forecast(np.array([0]), view_of(still)).log_scale).all()
