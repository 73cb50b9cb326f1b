"""The bank against PyTorch on one thread: 1,000 series, each with weights of its own, one window each.

8 inputs, 32 hidden units, 20 steps, 4 horizons. The peer does the same in chunks of 50 series, with one
batched product per step, and only that: `Bank.forecast` adds ridge, level rule and the choice of heads.
S series, C series of a chunk, T steps, F inputs, H hidden units, J heads.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import report
from numpy.typing import NDArray

from stream_lstm.features import FeatureSet
from stream_lstm.features.feature_set import SIGNED
from stream_lstm.models.bank import Bank, MarketView
from stream_lstm.models.lstm_rows import LstmRows
from stream_lstm.models.model import Model, ModelMetadata

SERIES: Final = 1_000
STEPS: Final = 20
HIDDEN: Final = 32
HORIZONS: Final = (1, 4, 24, 168)
PEER_CHUNK: Final = 50
CALLS: Final = 10
"""Forecasts of all series in one round."""

Array = NDArray[np.float32]
Run = Callable[[], Array]


def models(count: int = SERIES) -> list[Model]:
    """`lstm` models with weights of the size that a fit leaves."""
    rng, inputs, heads = np.random.default_rng(0), FeatureSet.F, len(HORIZONS)
    shapes = {"lstm": (4 * HIDDEN, inputs + 1 + HIDDEN), "heads": (heads, HIDDEN), "heads_bias": (heads,)}
    made = []
    for at in range(count):
        drawn = {name: rng.uniform(-0.3, 0.3, shape) for name, shape in shapes.items()}
        arrays = {name: array.astype(np.float32) for name, array in drawn.items()} | {
            "skip_weights": 0.01 * rng.standard_normal((FeatureSet.P, heads)),
            "skip_bias": np.zeros(heads),
            "drift_weights": np.zeros((len(SIGNED), heads)),
            "input_mean": np.zeros(inputs),
            "input_scale": np.ones(inputs),
        }
        metadata = ModelMetadata(f"S{at}", "lstm", 0, 8_760, {})
        made.append(Model("lstm", f"S{at}", HORIZONS, arrays, metadata))
    return made


def market() -> MarketView:
    """The market of every series at the close of one candle."""
    rng = np.random.default_rng(1)
    return MarketView(
        skip=rng.standard_normal((SERIES, FeatureSet.P)),
        window=rng.standard_normal((SERIES, STEPS, FeatureSet.F)).astype(np.float32),
        closes=np.ones((SERIES, STEPS)),
        log_base=np.full(SERIES, -5.0),
        log_slow=np.full(SERIES, -5.0),
        log_ewma=np.full(SERIES, -5.0),
        steps=np.tile(np.array(HORIZONS, np.int64), (SERIES, 1)),
    )


def our_rows(made: list[Model], windows: Array) -> Run:
    """The LSTMs of the bank alone: outputs (S, J)."""
    rows = LstmRows(FeatureSet.F, HIDDEN, len(HORIZONS))
    rows.grow(SERIES)
    for slot, model in enumerate(made):
        rows.put(slot, model.arrays)
    return partial(rows.outputs, np.arange(SERIES), windows)


def our_bank(made: list[Model], view: MarketView) -> Callable[[], object]:
    """The whole bank."""
    bank = Bank()
    for row, model in enumerate(made):
        bank.install(row, model)
    return partial(bank.forecast, np.arange(SERIES), view)


def torch_rows(made: list[Model], windows: Array) -> Run:
    """The same LSTMs with torch.baddbmm: inputs of all steps at once, then a product per step and chunk."""
    import torch

    torch.set_num_threads(1)
    inputs = FeatureSet.F
    stacked = torch.from_numpy(np.stack([model.arrays["lstm"] for model in made])).transpose(1, 2)
    of_inputs, bias, recurrent = (
        part.contiguous() for part in stacked.split([inputs, 1, HIDDEN], dim=1)
    )  # (S, F, 4H), (S, 1, 4H), (S, H, 4H); columns in the order o, i, f, g
    heads = torch.from_numpy(np.stack([model.arrays["heads"] for model in made])).transpose(1, 2).contiguous()
    heads_bias = torch.from_numpy(np.stack([model.arrays["heads_bias"] for model in made]))[:, None]
    x = torch.from_numpy(windows)

    def chunk(part: slice) -> torch.Tensor:
        driven = torch.baddbmm(bias[part], x[part], of_inputs[part])  # (C, T, 4H)
        hidden = cell = torch.zeros(len(driven), 1, HIDDEN)
        for step in driven.split(1, dim=1):
            gates = torch.baddbmm(step, hidden, recurrent[part])
            out, into, forget = gates[..., : 3 * HIDDEN].sigmoid().chunk(3, dim=2)
            cell = forget * cell + into * gates[..., 3 * HIDDEN :].tanh()
            hidden = out * cell.tanh()
        return torch.baddbmm(heads_bias[part], hidden, heads[part])[:, 0]

    @torch.inference_mode()
    def run() -> Array:
        parts = [slice(begin, begin + PEER_CHUNK) for begin in range(0, SERIES, PEER_CHUNK)]
        said: Array = torch.cat([chunk(part) for part in parts]).numpy()
        return said

    return run


def one_window(made: list[Model], view: MarketView) -> Callable[[], object]:
    """A forecast of one series alone, as often as there are series."""
    bank = Bank()
    for row, model in enumerate(made):
        bank.install(row, model)
    asked = [np.array([row]) for row in range(SERIES)]
    views = [view.take(row) for row in asked]

    def run() -> None:
        for row, own in zip(asked, views, strict=True):
            bank.forecast(row, own)

    return run


def many(run: Callable[[], object]) -> None:
    for _ in range(CALLS):
        run()


def main() -> None:
    chosen = report.arguments("Forecasts of 1,000 series against PyTorch in chunks, on one thread.")
    report.on_one_native_thread()
    made, view = models(), market()
    windows = np.asarray(view.window, np.float32)
    ours, peer = our_rows(made, windows), torch_rows(made, windows)
    deviation = float(np.abs(ours() - peer()).max())
    contenders = {
        "ours, Bank.forecast": partial(many, our_bank(made, view)),
        "ours, its LSTMs alone": partial(many, ours),
        f"PyTorch bmm, chunks of {PEER_CHUNK}": partial(many, peer),
    }
    rounds = 2 if chosen.quick else 15
    timings = report.interleaved(contenders, rounds)
    alone = report.interleaved({"ours, one series a call": one_window(made, view)}, rounds)
    found = report.Report("bank")
    for name, timing in {**timings, **alone}.items():
        calls = SERIES * (1 if name in alone else CALLS)
        found.rows.append(
            {
                "what": name,
                "cpu_us_per_series": timing.cpu / calls * 1e6,
                "wall_us_per_series": timing.wall / calls * 1e6,
                "deviation": deviation if "PyTorch" in name else None,
            }
        )
    whole, rows, torch = (timing.cpu for timing in timings.values())
    found.ratios["bank_vs_torch"] = report.Ratio(torch / whole, 1 / 0.6)
    found.ratios["bank_lstm_vs_torch"] = report.Ratio(torch / rows, 1 / 0.6)
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
