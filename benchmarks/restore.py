"""Checkpoints: what one costs the loop, how many bytes it is, and how long a restart takes to read it.

Series with a full history of 8,760 candles, a model and open predictions, in one partition. A few are fed
candle by candle; the rest are copies of them under other names, which cost the same to save and to read.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import bank
import memory
import numpy as np
import report

from stream_lstm.candles.series import SeriesKey
from stream_lstm.checkpoints.codec import Checkpoint, Origin
from stream_lstm.checkpoints.store import CheckpointStore, Saved
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.history import Block
from stream_lstm.forecasting.partition_state import PartitionState
from stream_lstm.models.files import from_safetensors, to_safetensors
from stream_lstm.registry.models import ModelStore
from stream_lstm.registry.objects import Objects

FED: Final = 50
SERIES: Final = (100, 1_000)
CANDLES: Final = EngineConfig().history_candles
INTERVAL_S: Final = 60.0
"""Between two checkpoints, as by default."""
PLACE: Final = ("candles", 0)
TARGET_S: Final = 5.0
"""For 1,000 series: of our own time, on one core."""


def copied(state: PartitionState, times: int) -> PartitionState:
    """A state with that many copies of each of its series."""

    def named(told: dict[str, Any], copy: int) -> dict[str, Any]:
        exchange, symbol, interval = told["key"]
        return told | {"key": [exchange, f"{symbol}{copy}", interval]}

    return PartitionState(
        series=[named(told, copy) for copy in range(times) for told in state.series],
        arrays={name: np.concatenate([array] * times) for name, array in state.arrays.items()},
        answerers=state.answerers,
        histories=[[block_of(block) for block in blocks] for _ in range(times) for blocks in state.histories],
    )


def block_of(block: Block) -> Block:
    """A block of its own, in no segment yet."""
    made = Block(block.state)
    made.candles, made.steps, made.synthetic = block.candles, block.steps, block.synthetic
    made.count = block.count
    return made


def mark(saved: Saved) -> None:
    """As the worker does when a checkpoint is in the store."""
    for block, name, at in saved.stored:
        block.saved_in, block.saved_at = name, at


def measured(state: PartitionState, folder: Path) -> dict[str, float]:
    """One partition saved twice, and taken up by another engine."""
    models = ModelStore(folder.as_uri())
    engine, store = Engine(EngineConfig()), CheckpointStore(Objects(folder.as_uri()), "benchmark")
    keys = [SeriesKey(*told["key"]) for told in state.series]
    made = bank.models(len(keys))
    pairs = [*zip(keys, made, strict=True)]
    paths = {key: models.save(str(key), model.model_id, to_safetensors(model)) for key, model in pairs}
    engine.restore(PLACE, state, dict(pairs))
    origin = Origin(
        topic=PLACE[0],
        partition=PLACE[1],
        offset=1,
        partitions=1,
        last_offset=0,
        last_crc=0,
        fingerprint="",
    )
    sizes, copy_s, save_s = [], 0.0, 0.0
    for offset in (1, 2):
        began = time.perf_counter()
        exported = engine.export(PLACE)
        copy_s = time.perf_counter() - began
        began = time.perf_counter()
        origin = replace(origin, offset=offset)
        saved = store.save(Checkpoint(origin=origin, state=exported, closing={"clock": 0, "series": []}))
        save_s = time.perf_counter() - began
        mark(saved)
        sizes.append(saved.size)
    began = time.perf_counter()
    loaded = store.load(PLACE, 2)
    load_s = time.perf_counter() - began
    began = time.perf_counter()
    answering = {key: from_safetensors(models.load(path)) for key, path in paths.items()}
    models_s = time.perf_counter() - began
    began = time.perf_counter()
    Engine(EngineConfig()).restore(PLACE, loaded.state, answering)
    return {
        "first_mb": sizes[0] / 1e6,
        "then_mb": sizes[1] / 1e6,
        "then_bytes_per_series_s": sizes[1] / len(keys) / INTERVAL_S,
        "copy_ms": copy_s * 1e3,
        "save_s": save_s,
        "load_s": load_s,
        "models_s": models_s,
        "take_up_s": time.perf_counter() - began,
    }


def main() -> None:
    chosen = report.arguments("Checkpoints of a partition: bytes, and seconds to save and to take up.")
    report.on_one_native_thread()
    fed, candles = (10, 1_500) if chosen.quick else (FED, CANDLES)
    state = memory.fed(fed, candles).export(0)
    found = report.Report("restore")
    for series in SERIES:
        with tempfile.TemporaryDirectory() as folder:
            row = measured(copied(state, series // fed), Path(folder))
        restore_s = row["load_s"] + row["models_s"] + row["take_up_s"]
        found.rows.append({"what": f"{series} series", **row, "restore_s": restore_s})
        if series == SERIES[-1]:
            found.ratios["restore_s_1000_series"] = report.Ratio(restore_s, TARGET_S, least=False)
    found.publish(chosen.json)


if __name__ == "__main__":
    main()
