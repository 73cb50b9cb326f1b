"""The bank: every row answers with the bits that it has alone, whoever is asked with it."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream_lstm.errors import ModelMismatch
from stream_lstm.features import FeatureSet
from stream_lstm.models import har, hybrid, linear_heads, naive, registry
from stream_lstm.models.bank import Bank, BankForecast, MarketView
from stream_lstm.models.ensemble import LSTMS
from stream_lstm.models.live import LiveModels
from stream_lstm.models.model import WARM_SCORES, Arrays, Config, Model, ModelMetadata
from stream_lstm.models.rows import CHUNK
from stream_lstm.models.shape import Shape

ROWS = 3 * CHUNK
HORIZONS = (1, 4, 24, 168)


def model_of(
    model_type: str, seed: int, heads: tuple[int, ...] = HORIZONS, hidden: int | None = None
) -> Model:
    """A model with random weights, as a fit might have left them; `hidden` units, or its type's own."""
    rng = np.random.default_rng(seed)
    config: Config = {"seed": seed} if hidden is None else {"seed": seed, "hiddenSize": hidden}
    metadata = ModelMetadata(f"S{seed}", model_type, seed, 1000, config)
    return Model(model_type, f"S{seed}", heads, arrays_of(model_type, rng, len(heads), hidden), metadata)


def network_arrays(rng: np.random.Generator, network: str, shape: Shape) -> Arrays:
    """The blocks of one network, in a shape."""
    encoder = registry.NETWORKS[network].encoder
    blocks = (*encoder.blocks(shape), *linear_heads.blocks(encoder.width(shape), shape.outputs))
    return {each.name: (0.2 * rng.standard_normal(each.shape)).astype(np.float32) for each in blocks}


def arrays_of(model_type: str, rng: np.random.Generator, heads: int, hidden: int | None) -> Arrays:
    linear = {
        "skip_weights": 0.05 * rng.standard_normal((FeatureSet.P, heads)),
        "skip_bias": 0.1 * rng.standard_normal(heads),
        "drift_weights": 0.1 * rng.standard_normal((3, heads)),
        f"{WARM_SCORES}0": rng.random(5).astype(np.float32),
    }
    scaling = {"input_mean": rng.standard_normal(FeatureSet.F), "input_scale": rng.random(FeatureSet.F)}
    if model_type in registry.NETWORKS:
        own = registry.NETWORKS[model_type].shape(1, heads)
        shape = own._replace(hidden=hidden or own.hidden)
        return linear | network_arrays(rng, model_type, shape) | scaling
    if model_type == "ensemble":
        networks = {
            prefix + name: array
            for prefix, network in LSTMS.prefixes.items()
            for name, array in network_arrays(rng, "lstm", network.shape(1, heads)).items()
        }
        return linear | networks | scaling
    if model_type == "classic":
        return network_arrays(rng, "lstm", Shape(1, 1, 32, 1, 1, 20)) | {"scaler": np.array([0.8, 0.5])}
    return linear if model_type == "har" else {}


def market_of(rows: int, seed: int = 0) -> MarketView:
    rng = np.random.default_rng(seed)
    return MarketView(
        skip=rng.standard_normal((rows, FeatureSet.P)),
        window=rng.standard_normal((rows, 20, FeatureSet.F)).astype(np.float32),
        closes=np.exp(np.cumsum(0.01 * rng.standard_normal((rows, 20)), axis=1)),
        log_base=rng.normal(-5, 1, rows),
        log_slow=rng.normal(-5, 1, rows),
        log_ewma=rng.normal(-5, 1, rows),
        steps=np.tile(np.array(HORIZONS, np.int64), (rows, 1)),
    )


def bits(said: BankForecast) -> list[bytes]:
    """The bytes of each row."""
    parts = [getattr(said, field.name) for field in fields(BankForecast)]
    return [b"".join(part[at].tobytes() for part in parts) for at in range(len(said.heads))]


MARKET = market_of(ROWS)
ALL = np.arange(ROWS)


def type_of(row: int) -> str:
    """Long runs of `lstm`, so that chunks have borders inside of them, and others between."""
    if row % 10 == 7:
        others = [name for name in registry.MODEL_TYPES if name != "lstm"]
        return others[row // 10 % len(others)]
    return "lstm"


@pytest.fixture(scope="module")
def bank() -> Bank:
    """A bank of all types, with and without models, of several numbers of heads and of hidden units."""
    bank = Bank()
    for row in np.random.default_rng(1).permutation(ROWS).tolist():
        if row % 23:
            heads, hidden = HORIZONS[: 2 + (row % 11 > 0) * 2], None if row % 7 else 8
            bank.install(row, model_of(type_of(row), row, heads, hidden))
    return bank


@pytest.fixture(scope="module")
def alone(bank: Bank) -> list[bytes]:
    """What every row says when nobody else is asked."""
    return [bits(bank.forecast(np.array([row]), MARKET.take(np.array([row]))))[0] for row in range(ROWS)]


def test_all_together_every_row_says_what_it_says_alone(bank: Bank, alone: list[bytes]) -> None:
    assert bits(bank.forecast(ALL, MARKET)) == alone


@pytest.mark.parametrize("count", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
def test_the_border_of_a_chunk_leaves_no_trace(bank: Bank, alone: list[bytes], count: int) -> None:
    for first in (0, 1, ROWS - count):
        rows = ALL[first : first + count]
        assert bits(bank.forecast(rows, MARKET.take(rows))) == alone[first : first + count]


@settings(max_examples=40)
@given(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=ROWS, unique=True))
def test_any_rows_in_any_order_say_what_they_say_alone(
    bank: Bank, alone: list[bytes], chosen: list[int]
) -> None:
    rows = np.array(chosen)
    assert bits(bank.forecast(rows, MARKET.take(rows))) == [alone[row] for row in chosen]


def transposed(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same numbers with the first axis innermost in memory."""
    return np.asfortranarray(array)


def strided(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same numbers with others between them."""
    return np.repeat(array, 2, axis=-1)[..., ::2]


@pytest.mark.parametrize("laid_out", [transposed, strided])
def test_how_the_market_lies_in_memory_leaves_no_trace(
    bank: Bank, alone: list[bytes], laid_out: type[NDArray[np.generic]]
) -> None:
    market = MarketView(*(laid_out(getattr(MARKET, field.name)) for field in fields(MarketView)))
    assert bits(bank.forecast(ALL, market)) == alone
    same = [row for row in range(ROWS) if type_of(row) == "lstm" and row % 23 and row % 11]
    one_type = MarketView(
        *(laid_out(getattr(MARKET.take(np.array(same)), field.name)) for field in fields(MarketView))
    )
    assert bits(bank.forecast(np.array(same), one_type)) == [alone[row] for row in same]


@pytest.mark.parametrize("model_type", registry.MODEL_TYPES)
def test_a_bank_of_one_type_says_what_its_models_say_alone(model_type: str) -> None:
    bank = Bank()
    for row in range(2 * CHUNK + 3):
        bank.install(row, model_of(model_type, row))
    rows = np.arange(2 * CHUNK + 3)
    together = bits(bank.forecast(rows, MARKET.take(rows)))
    for row in rows.tolist():
        single = Bank()
        single.install(0, bank.model(row) or model_of(model_type, row))
        assert bits(single.forecast(np.array([0]), MARKET.take(rows[row : row + 1]))) == [together[row]]


def test_a_row_without_a_model_is_answered_by_hybrid() -> None:
    bank = Bank()
    assert bits(bank.forecast(ALL, MARKET)) == bits(hybrid.forecast(MARKET))
    bank.install(5, model_of("naive", 5))
    rows = np.array([4, 5, ROWS + 1000])
    said = bits(bank.forecast(rows, MARKET.take(rows % ROWS)))
    expected = bits(hybrid.forecast(MARKET.take(rows % ROWS)))
    assert said[0] == expected[0]
    assert said[1] == bits(naive.forecast(MARKET.take(rows[1:2])))[0] != expected[1]
    assert said[2] == expected[2]


def test_an_installed_model_replaces_the_one_before_and_a_removed_one_is_gone() -> None:
    bank, row = Bank(), np.array([3])
    view = MARKET.take(row)
    first, second = model_of("lstm", 1), model_of("har", 2)
    bank.install(3, first)
    one = bits(bank.forecast(row, view))
    bank.install(3, second)
    other = bits(bank.forecast(row, view))
    assert one != other
    kept = bank.model(3)
    assert kept is not None
    assert kept.model_id == second.model_id
    bank.remove(3)
    assert bank.model(3) is None
    assert bits(bank.forecast(row, view)) == bits(hybrid.forecast(view))
    bank.remove(3)  # nothing there: nothing happens
    bank.install(3, first)
    assert bits(bank.forecast(row, view)) == one


def test_models_come_and_go_without_touching_their_neighbours() -> None:
    rng = np.random.default_rng(4)
    bank, there = Bank(), dict[int, Model]()
    for turn in range(300):
        row = int(rng.integers(40))
        if rng.random() < 0.3:
            bank.remove(row)
            there.pop(row, None)
        else:
            there[row] = model_of(("lstm", "har")[turn % 2], turn, HORIZONS[: 2 + turn % 3])
            bank.install(row, there[row])
    rows = np.array(sorted(there))
    for row, said in zip(rows.tolist(), bits(bank.forecast(rows, MARKET.take(rows))), strict=True):
        single = Bank()
        single.install(0, there[row])
        assert bits(single.forecast(np.array([0]), MARKET.take(np.array([row])))) == [said]


def test_a_bank_keeps_no_warm_scores() -> None:
    bank, model = Bank(), model_of("lstm", 1)
    bank.install(0, model)
    kept = bank.model(0)
    assert kept is not None
    assert len(model.warm_scores(0)) == 5
    assert not len(kept.warm_scores(0))
    assert kept.model_id == model.model_id


def test_a_row_with_fewer_horizons_or_longer_ones_is_told_how_many_have_a_head() -> None:
    bank = Bank()
    bank.install(0, model_of("har", 0, heads=(1, 4)))
    rows, view = np.array([0]), MARKET.take(np.array([0]))
    for steps, own in (([1, 4, 24, 168], 2), ([1, 4, 0, 0], 2), ([4, 24, 0, 0], 1), ([2, 4, 24, 0], 0)):
        view.steps[:] = steps
        assert bank.forecast(rows, view).heads.tolist() == [own], steps


def test_a_longer_horizon_borrows_the_longest_head_below_it() -> None:
    live, model = har.LiveHar(2), model_of("har", 0, heads=(4, 24))
    live.grow(1)
    live.put(0, model)
    view = MARKET.take(np.array([0]))
    view.steps[:] = [1, 4, 23, 168]
    ratios = live.linear(np.array([0]), view)[0]
    said = live.forecast(np.array([0]), view)
    expected = live.ranged(np.array([0]), view, np.array([[ratios[0], ratios[1]]]))
    np.testing.assert_array_equal(said.log_scale, expected.log_scale)
    owner, own = live.steps.owner(np.array([0]), view.steps)
    assert owner.tolist() == [[0, 0, 0, 1]]
    assert own.tolist() == [0]


def test_an_unknown_model_type_is_refused_with_those_there_are() -> None:
    unknown = ModelMetadata("S", "oracle", 0, 0, {})
    with pytest.raises(
        ModelMismatch, match="lstm, bilstm, attention, transformer, ensemble, har, classic, hybrid, naive"
    ):
        Bank().install(0, Model("oracle", "S", HORIZONS, {}, unknown))


@pytest.mark.parametrize("name", [*registry.NETWORKS, "ensemble", "har", "classic"])
def test_room_for_more_models_keeps_those_that_are_there(name: str) -> None:
    live: LiveModels = registry.model_type(name).live(model_of(name, 1))
    live.grow(2)
    live.put(1, model_of(name, 1))
    slot, view = np.array([1]), MARKET.take(np.array([1]))
    before = bits(live.forecast(slot, view))
    live.grow(64)
    live.put(2, model_of(name, 2))
    assert bits(live.forecast(slot, view)) == before


@pytest.mark.parametrize("name", registry.NETWORKS)
def test_absurd_inputs_overflow_nothing(name: str) -> None:
    model = model_of(name, 0)
    live = registry.model_type(name).live(model)
    live.grow(1)
    live.put(0, model)
    view = MARKET.take(np.array([0]))
    view.window[:] *= 1e6
    assert np.isfinite(live.forecast(np.array([0]), view).log_scale).all()
