"""`lstm` and `classic`: what they train on, when they stop, and that live they say what they learned."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_lstm.errors import TrainingFailed
from stream_lstm.features import FeatureSet
from stream_lstm.models import classic, har, lstm
from stream_lstm.models.level import log_scale
from stream_lstm.models.live import Outcome
from stream_lstm.models.market_view import MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.network import Network
from stream_lstm.models.training_set import TrainingSet

Floats = NDArray[np.float64]
Loss = NDArray[np.float64]


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


def test_the_linear_part_of_lstm_is_har_and_frozen(training_set: Callable[..., TrainingSet]) -> None:
    data = training_set("A", 1000)
    linear, whole = har.fit(data), only(lstm.fit([data]))
    for name, array in linear.arrays.items():
        np.testing.assert_array_equal(whole.arrays[name], array)
    assert whole.arrays["heads"].any()
    assert whole.arrays["lstm"].dtype == whole.arrays["heads"].dtype == np.float32


def test_under_500_windows_the_lstm_says_nothing(
    training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    # 24 candles ahead and 20 behind: 542 candles have 499 windows.
    short, enough = training_set("A", 542), training_set("A", 543)
    young, model = lstm.fit([short, enough])
    assert isinstance(young, Model)
    assert isinstance(model, Model)
    assert not young.arrays["lstm"].any()
    assert model.arrays["lstm"].any()
    live, linear = lstm.LiveLstm(3), har.LiveHar(3)
    for each in (live, linear):
        each.grow(1)
        each.put(0, young)
    view, slot = view_of(short), np.array([0])
    np.testing.assert_array_equal(live.forecast(slot, view).log_scale, linear.forecast(slot, view).log_scale)


def test_a_live_lstm_says_its_ridge_and_its_network(
    training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    data = training_set("A", 1000)
    model = only(lstm.fit([data]))
    live = lstm.LiveLstm(3)
    live.grow(1)
    live.put(0, model)
    view, arrays = view_of(data), model.arrays
    window = (view.window[0] - arrays["input_mean"]) * arrays["input_scale"]
    ratios = view.skip[0] @ arrays["skip_weights"] + arrays["skip_bias"] + textbook(model, window)
    expected = log_scale(ratios[[0, 1, 2, 2]], view.log_base, view.log_slow, view.steps[0])
    said = live.forecast(np.array([0]), view)
    np.testing.assert_allclose(said.log_scale[0], expected, atol=1e-5)
    assert np.abs(textbook(model, window)).max() > 1e-3


def test_the_network_learns_the_residual_of_the_newest_windows(
    training_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[int], Loss]] = []
    run_epoch = lstm.run_epoch

    def watched(network: Network, order: NDArray[np.intp], rates: Sequence[float]) -> Loss:
        loss = run_epoch(network, order, rates)
        seen.append((set(order[0].tolist()), loss))
        return loss

    monkeypatch.setattr(lstm, "run_epoch", watched)
    lstm.fit([training_set("A", 1000)])
    windows, losses = zip(*seen, strict=True)
    # The last window ends 24 candles before the end: its targets are over. 957 windows, 7 batches of 128.
    newest = 1000 - 1 - 24 - 19
    assert windows == (set(range(newest - 7 * 128 + 1, newest + 1)),) * lstm.EPOCHS
    assert losses[-1] < losses[0]


def test_inputs_without_variance_are_ignored(training_set: Callable[..., TrainingSet]) -> None:
    flat = training_set("A", 800)
    flat.candles[:, 4] = 0.0  # no volume, ever
    model = only(lstm.fit([flat]))
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


def test_a_price_that_never_moves_is_no_trouble_to_lstm(
    training_set: Callable[..., TrainingSet], view_of: Callable[..., MarketView]
) -> None:
    still = training_set("A", 700)
    still.candles[:, :4] = 1.0
    model = only(lstm.fit([still]))
    live = lstm.LiveLstm(3)
    live.grow(1)
    live.put(0, model)
    assert np.isfinite(live.forecast(np.array([0]), view_of(still)).log_scale).all()
