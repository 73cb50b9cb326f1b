"""Training against PyTorch on one thread: the same weights, the same batches, the same loss curve.

480 windows of 20 steps, 32 hidden units, batches of 32, 100 epochs of Adam with the norm clipped at 1;
one series, and eight in a stack. Then every network of the product in its own shape (8 inputs, 4 outputs,
batches of 128) against the same out of PyTorch's modules. Then the product's own fit on a year of hourly
candles, and its parts.
S series, N rows, W windows, T steps; F = K = 1 where nothing else is said.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import report
from numpy.typing import NDArray

from stream_lstm.candles.synthetic import market
from stream_lstm.features import FeatureSet
from stream_lstm.models import har, registry, residual
from stream_lstm.models.epochs import run_epoch
from stream_lstm.models.lstm_layer import LstmEncoder
from stream_lstm.models.network import Network
from stream_lstm.models.shape import Shape
from stream_lstm.models.training_set import TrainingSet
from stream_lstm.models.transformer_layer import HEADS

WINDOWS: Final = 480
STEPS: Final = 20
HIDDEN: Final = 32
BATCH: Final = 32
EPOCHS: Final = 100
RATE: Final = 1e-3
CLIP: Final = 1.0
STACK: Final = 8
CANDLES: Final = 8_760
HOUR: Final = 3_600_000

Array = NDArray[np.float32]
Curve = NDArray[np.float64]
"""(epochs, S) mean loss."""


class Start(NamedTuple):
    """Where one training begins; gate rows in the order o, i, f, g."""

    lstm: Array  # (4H, 1 + 1 + H), columns x, 1, h
    heads: Array  # (1, H)
    bias: Array  # (1,)


class Work(NamedTuple):
    """One series to train on, for all contenders."""

    rows: Array  # (W + T, 1)
    start: Start
    order: NDArray[np.intp]  # (epochs, W)

    @property
    def inputs(self) -> Array:
        """(W + T − 1, 1)"""
        return self.rows[:-1]

    @property
    def targets(self) -> Array:
        """(W, 1)"""
        return self.rows[STEPS:]

    @property
    def windows(self) -> Array:
        """(T, W, 1)"""
        return np.stack([self.rows[at : at + WINDOWS] for at in range(STEPS)])


def work(seed: int, epochs: int) -> Work:
    """Two waves with noise; weights as PyTorch draws them, the forget gate open."""
    rng = np.random.default_rng(seed)
    at = np.arange(WINDOWS + STEPS)
    wave = np.sin(at * rng.uniform(0.1, 0.4)) + 0.5 * np.sin(at * rng.uniform(0.03, 0.1) + 1)
    wave += 0.15 * rng.standard_normal(len(at))
    limit = HIDDEN**-0.5
    lstm, heads, bias = (
        rng.uniform(-limit, limit, shape).astype(np.float32)
        for shape in ((4 * HIDDEN, 2 + HIDDEN), (1, HIDDEN), 1)
    )
    lstm[2 * HIDDEN : 3 * HIDDEN, 1] += 1
    rows = ((wave - wave.mean()) / wave.std()).astype(np.float32)[:, None]
    order = np.stack([rng.permutation(WINDOWS) for _ in range(epochs)])
    return Work(rows, Start(lstm, heads, bias), order)


def train_ours(works: list[Work]) -> Curve:
    """Our network on a stack of series."""
    shape = Shape(len(works), 1, HIDDEN, 1, BATCH, STEPS)
    network = Network(
        shape,
        [each.inputs for each in works],
        [each.targets for each in works],
        encoder=LstmEncoder,
        clip=CLIP,
    )
    true = network.parameters.true
    for at, each in enumerate(works):
        true["lstm"][at], true["heads"][at], true["heads_bias"][at] = each.start
    rates = [RATE] * (WINDOWS // BATCH)
    orders = np.stack([each.order for each in works], axis=1)  # (epochs, S, W)
    return np.array([run_epoch(network, order, rates) for order in orders])


def torch_trainer() -> Callable[[Work], Curve]:
    """PyTorch's nn.LSTM with its fused Adam, one series at a time."""
    import torch

    torch.set_num_threads(1)

    def load(lstm: torch.nn.LSTM, head: torch.nn.Linear, start: Start) -> None:
        gates = start.lstm.reshape(4, HIDDEN, -1)[[1, 2, 3, 0]]  # i, f, g, o
        weights = torch.from_numpy(gates.reshape(4 * HIDDEN, -1).copy())
        lstm.weight_ih_l0.copy_(weights[:, :1])
        lstm.bias_ih_l0.copy_(weights[:, 1])
        lstm.weight_hh_l0.copy_(weights[:, 2:])
        lstm.bias_hh_l0.zero_()
        head.weight.copy_(torch.from_numpy(start.heads))
        head.bias.copy_(torch.from_numpy(start.bias))

    def train(job: Work) -> Curve:
        lstm, head = torch.nn.LSTM(1, HIDDEN), torch.nn.Linear(HIDDEN, 1)
        with torch.no_grad():
            load(lstm, head, job.start)
        lstm.bias_hh_l0.requires_grad_(False)  # a second bias would double the step of the first
        trained = [each for each in (*lstm.parameters(), *head.parameters()) if each.requires_grad]
        adam = torch.optim.Adam(trained, lr=RATE, fused=True)
        windows, targets = torch.from_numpy(job.windows), torch.from_numpy(job.targets)
        curve = []
        for order in torch.from_numpy(job.order):
            total = torch.zeros(())
            for batch in order.split(BATCH):
                adam.zero_grad()
                _, (hidden, _) = lstm(windows[:, batch])
                loss = torch.nn.functional.mse_loss(head(hidden[0]), targets[batch])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained, CLIP)
                adam.step()
                total += loss.detach()
            curve.append(float(total) / (WINDOWS // BATCH))
        return np.array(curve)[:, None]

    return train


def jax_trainer() -> Callable[[Work], Curve]:
    """JAX: one compiled program for the whole fit, scans over epochs, batches and steps."""
    import jax
    from jax import numpy as jnp

    def loss_of(start: Start, windows: jax.Array, targets: jax.Array) -> jax.Array:
        def step(
            state: tuple[jax.Array, jax.Array], x: jax.Array
        ) -> tuple[tuple[jax.Array, jax.Array], None]:
            hidden, cell = state
            gates = jnp.hstack([x, jnp.ones_like(x), hidden]) @ start.lstm.T
            o, i, f, g = jnp.split(gates, 4, axis=1)
            cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(cell), cell), None

        nothing = jnp.zeros((windows.shape[1], HIDDEN))
        (hidden, _), _ = jax.lax.scan(step, (nothing, nothing), windows)
        return jnp.mean((hidden @ start.heads.T + start.bias - targets) ** 2)

    def fit(start: Start, windows: jax.Array, targets: jax.Array, batches: jax.Array) -> jax.Array:
        def update(
            state: tuple[Start, Start, Start, jax.Array], batch: jax.Array
        ) -> tuple[object, jax.Array]:
            now, first, second, count = state
            loss, gradient = jax.value_and_grad(loss_of)(now, windows[:, batch], targets[batch])
            norm = jnp.sqrt(sum(jnp.vdot(each, each) for each in gradient))
            gradient = jax.tree.map(lambda g: g * jnp.minimum(1, CLIP / norm), gradient)
            count += 1
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
            slow, fast = 1 - 0.9**count, 1 - 0.999**count
            now = jax.tree.map(
                lambda p, m, v: p - RATE * (m / slow) / (jnp.sqrt(v / fast) + 1e-8), now, first, second
            )
            return (now, first, second, count), loss

        nothing = jax.tree.map(jnp.zeros_like, start)
        _, losses = jax.lax.scan(update, (start, nothing, nothing, jnp.zeros(())), batches)
        return losses

    compiled = jax.jit(fit)

    def train(job: Work) -> Curve:
        start = Start(*map(jnp.asarray, job.start))
        batches = jnp.asarray(job.order.reshape(-1, BATCH))
        losses = np.asarray(compiled(start, jnp.asarray(job.windows), jnp.asarray(job.targets), batches))
        return losses.reshape(len(job.order), -1).mean(axis=1, dtype=np.float64)[:, None]

    return train


def compare(found: report.Report, *, rounds: int, epochs: int) -> None:
    """Ours at S = 1 and S = 8 against the peers, a row each and the two ratios."""
    works = [work(seed, epochs) for seed in range(STACK)]
    contenders: dict[str, tuple[int, Callable[[], Curve]]] = {
        "ours, one series": (1, partial(train_ours, works[:1])),
        f"ours, a stack of {STACK}": (STACK, partial(train_ours, works)),
        "PyTorch nn.LSTM": (1, partial(torch_trainer(), works[0])),
    }
    try:
        contenders["JAX, jitted scan"] = (1, partial(jax_trainer(), works[0]))
    except ImportError:
        print("JAX is not installed: its row, which is information alone, is left out", file=sys.stderr)
    one, stack, peer, *_ = measured(found, contenders, rounds=rounds, updates=epochs * WINDOWS // BATCH)
    found.ratios["training_s8_vs_torch"] = report.Ratio(peer / stack, 4.0)
    found.ratios["training_s1_vs_torch"] = report.Ratio(peer / one, 2.5)


class OwnWork(NamedTuple):
    """What the networks of the product are trained on: noise, since only the time counts."""

    inputs: Array  # (N, F)
    targets: Array  # (N − 19, J)
    batches: NDArray[np.intp]  # (updates, B)


def own_work(seed: int, updates: int) -> OwnWork:
    """Of one series."""
    rng = np.random.default_rng(seed)
    count = 10 * residual.BATCH
    inputs = rng.standard_normal((count + residual.STEPS - 1, FeatureSet.F)).astype(np.float32)
    targets = (0.3 * rng.standard_normal((count, 4))).astype(np.float32)
    order = np.concatenate([rng.permutation(count) for _ in range(-(-updates // 10))])
    return OwnWork(inputs, targets, order.reshape(-1, residual.BATCH)[:updates])


def own_stack(name: str, works: list[OwnWork]) -> Network:
    """Networks of the product, begun with a seed each, their heads too."""
    network = registry.NETWORKS[name]
    shape = network.shape(len(works), works[0].targets.shape[1])
    parts = [each.inputs for each in works], [each.targets for each in works]
    stack = Network(shape, *parts, encoder=network.encoder, clip=CLIP)
    for at in range(len(works)):
        stack.initialise(at, np.random.default_rng(at), zero_heads=False)
    return stack


def train_own(name: str, works: list[OwnWork]) -> Curve:
    """The losses (updates, S) of our networks."""
    stack = own_stack(name, works)
    batches = np.stack([each.batches for each in works], axis=1)  # (updates, S, B)
    return np.array([stack.step(windows, RATE) for windows in batches], np.float64)


def torch_own(name: str, job: OwnWork) -> Callable[[], Curve]:
    """The same with PyTorch's modules, one series."""
    import torch
    import torch_networks

    torch.set_num_threads(1)
    start = {name: block.copy() for name, block in own_stack(name, [job]).parameters.true.of(0).items()}
    steps = np.arange(residual.STEPS)[:, None]

    def module() -> torch.nn.Module:
        if name == "transformer":
            return torch_networks.Transformer(start, HEADS)
        return torch_networks.Attention(start) if name == "attention" else torch_networks.Lstm(start)

    def train() -> Curve:
        update = torch_networks.trainer(module(), RATE, CLIP)
        inputs, targets = torch.from_numpy(job.inputs), torch.from_numpy(job.targets)
        curve = [update(inputs[steps + windows], targets[windows]) for windows in job.batches]
        return np.array(curve)[:, None]

    return train


def compare_networks(found: report.Report, *, rounds: int, updates: int) -> None:
    """Every network of the product, alone and in a stack, against PyTorch's modules."""
    works = [own_work(seed, updates) for seed in range(STACK)]
    for name in registry.NETWORKS:
        contenders: dict[str, tuple[int, Callable[[], Curve]]] = {
            f"{name}, one series": (1, partial(train_own, name, works[:1])),
            f"{name}, a stack of {STACK}": (STACK, partial(train_own, name, works)),
            f"{name}, PyTorch's modules": (1, torch_own(name, works[0])),
        }
        one, stack, peer = measured(found, contenders, rounds=rounds, updates=updates)
        found.ratios[f"training_{name}_s8_vs_torch"] = report.Ratio(peer / stack, 1.0)
        found.ratios[f"training_{name}_s1_vs_torch"] = report.Ratio(peer / one, 1.0)


def measured(
    found: report.Report,
    contenders: dict[str, tuple[int, Callable[[], Curve]]],
    *,
    rounds: int,
    updates: int,
) -> list[float]:
    """CPU seconds per series of each contender, the first being ours; adds a row for each."""
    curves: dict[str, Curve] = {}

    def keeping(name: str, run: Callable[[], Curve]) -> None:
        curves[name] = run()

    timings = report.interleaved(
        {name: partial(keeping, name, run) for name, (_, run) in contenders.items()}, rounds
    )
    ours = next(iter(curves.values()))
    per_series = {name: timings[name].cpu / series for name, (series, _) in contenders.items()}
    for name, (series, _) in contenders.items():
        found.rows.append(
            {
                "what": name,
                "series": series,
                "cpu_s_per_series": per_series[name],
                "wall_s_per_series": timings[name].wall / series,
                "us_per_update": per_series[name] / updates * 1e6,
                "loss_deviation": float(np.abs(curves[name][:, :1] / ours - 1).max()),
            }
        )
    return list(per_series.values())


def year_of_candles(name: str) -> TrainingSet:
    """A year of hourly candles of the synthetic market."""
    open_ms, bars = market([name], step_ms=HOUR, start_ms=0, candles=CANDLES, seed=1)[name]
    bars[:, :4] /= (reference := float(bars[0, 0]))
    return TrainingSet(
        series=name,
        step_ms=HOUR,
        candles=bars.astype(np.float32),
        open_ms=open_ms,
        synthetic=np.zeros(CANDLES, np.bool_),
        state=FeatureSet().start(),
        reference=reference,
        horizons=(1, 4, 24, 168),
        seed=1,
    )


def default_fit(found: report.Report, *, rounds: int) -> None:
    """The fit that the product runs: features, ridge and LSTM on a year of candles; and its parts."""
    sets = [year_of_candles(f"S{at}") for at in range(STACK)]
    part = har.linear_part(sets[0])
    data, seen, wanted = sets[0], part.seen, part.targets
    runs: dict[str, tuple[int, Callable[[], object]]] = {
        "default fit": (1, partial(registry.fit, "lstm", sets[:1])),
        "default fit, stacked": (STACK, partial(registry.fit, "lstm", sets)),
        "  features": (
            1,
            partial(FeatureSet().run, data.state, data.candles, data.open_ms, data.step_ms),
        ),
        "  ridge": (1, partial(har.fit_ridge, data.series, seen.skip, wanted)),
        "  warm-start scores": (1, partial(har.warm_scores, data, seen, wanted)),
        "  all but the LSTM": (1, partial(har.linear_part, data)),
    }
    timings = report.interleaved({name: run for name, (_, run) in runs.items()}, rounds)
    for name, (series, _) in runs.items():
        found.rows.append(
            {
                "what": name,
                "series": series,
                "cpu_s_per_series": timings[name].cpu / series,
                "wall_s_per_series": timings[name].wall / series,
            }
        )
    one, stack = timings["default fit"].cpu, timings["default fit, stacked"].cpu / STACK
    found.ratios["default_fit_s1_seconds"] = report.Ratio(one, 0.35, least=False)
    found.ratios["default_fit_s8_seconds"] = report.Ratio(stack, 0.30, least=False)


def main() -> None:
    chosen = report.arguments("Training against PyTorch on one thread, and the product's own fit.")
    report.on_one_native_thread()
    found = report.Report("training")
    rounds, epochs = (1, 10) if chosen.quick else (5, EPOCHS)
    compare(found, rounds=rounds, epochs=epochs)
    compare_networks(found, rounds=rounds, updates=20 if chosen.quick else 80)
    default_fit(found, rounds=rounds)
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
