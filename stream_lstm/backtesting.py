"""`stream-lstm backtest`: files in, processes to share the work, records and verdicts out."""

import gzip
import io
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from threadpoolctl import threadpool_limits

from stream_lstm.candles.files import CandleFile
from stream_lstm.evaluation.backtest import Walk, Walked, walk_forward
from stream_lstm.evaluation.cost import Cost, cost_of
from stream_lstm.evaluation.evidence import evidence_of
from stream_lstm.evaluation.metrics import judge
from stream_lstm.evaluation.references import forecaster
from stream_lstm.evaluation.summary import Judged, summarise
from stream_lstm.evaluation.yardstick import Yardstick, yardstick

Progress = Callable[[int, int], None]
"""Told how many candles are done, and of how many."""

_SPAWN: Final = get_context("spawn")
_LOOK_SECONDS: Final = 0.2


def _clock() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


@dataclass(frozen=True, slots=True)
class Tested:
    """One model walked through one file."""

    model: str
    file: CandleFile
    walked: Walked


def backtest(
    files: Sequence[CandleFile], walk: Walk, models: Sequence[str], jobs: int, progress: Progress
) -> list[Tested]:
    """Walk every model through every file, files shared among `jobs` processes; by model, then by file.

    How the files are shared changes nothing that is published: a pooled model keeps them together. Raises
    what a walk raises.
    """
    types = [forecaster(model) for model in models]  # an unknown one is refused before an hour of work
    files = joined(files)
    tasks = [
        (model, group, replace(walk, config=replace(walk.config, model=model)))
        for model, kind in zip(models, types, strict=True)
        for group in _groups(len(files), 1 if kind.pooled else jobs)
    ]
    parts = [[files[at] for at in group] for _, group, _ in tasks]
    walks = [walk for _, _, walk in tasks]
    done = _here(parts, walks, progress) if jobs == 1 else _in_processes(parts, walks, jobs, progress)
    found = {
        (model, at): walked
        for (model, group, _), part in zip(tasks, done, strict=True)
        for at, walked in zip(group, part, strict=True)
    }
    return [Tested(model, files[at], found[model, at]) for model in models for at in range(len(files))]


def _groups(files: int, jobs: int) -> list[list[int]]:
    """Which files are walked together."""
    return [list(range(first, files, jobs)) for first in range(min(jobs, files))]


def joined(files: Sequence[CandleFile]) -> list[CandleFile]:
    """The files of one series as one, in the order of its first; of candles in several the last wins."""
    parts: dict[tuple[str, str], list[CandleFile]] = {}
    for file in files:
        parts.setdefault((file.symbol, file.interval), []).append(file)
    return [of_series[0] if len(of_series) == 1 else _join(of_series) for of_series in parts.values()]


def _join(files: Sequence[CandleFile]) -> CandleFile:
    newest_first = np.concatenate([file.open_ms for file in files])[::-1]
    open_ms, first = np.unique(newest_first, return_index=True)
    ohlcv = np.concatenate([file.ohlcv for file in files])[::-1][first]
    return files[0]._replace(open_ms=open_ms, ohlcv=np.ascontiguousarray(ohlcv))


def _here(parts: list[list[CandleFile]], walks: list[Walk], progress: Progress) -> list[list[Walked]]:
    counts, total = [0] * len(parts), _candles(parts)
    results = []
    with threadpool_limits(1):
        for at, (part, walk) in enumerate(zip(parts, walks, strict=True)):

            def told(done: int, _: int, at: int = at) -> None:
                counts[at] = done
                progress(sum(counts), total)

            results.append(walk_forward(part, walk, told, _clock))
    return results


def _candles(parts: list[list[CandleFile]]) -> int:
    return sum(len(file.open_ms) for part in parts for file in part)


def _in_processes(
    parts: list[list[CandleFile]], walks: list[Walk], jobs: int, progress: Progress
) -> list[list[Walked]]:
    total, counts = _candles(parts), _SPAWN.Array("q", len(parts))
    with ProcessPoolExecutor(jobs, _SPAWN, _begin, (counts,)) as pool:
        work = [
            pool.submit(_walk, at, part, walk)
            for at, (part, walk) in enumerate(zip(parts, walks, strict=True))
        ]
        try:
            left = set(work)
            while left:
                done, left = wait(left, _LOOK_SECONDS, FIRST_EXCEPTION)
                for one in done:
                    one.result()
                progress(sum(counts[:]), total)
        except BaseException:
            for process in list(pool._processes.values()):  # nobody waits for the rest
                process.terminate()
            raise
        return [one.result() for one in work]


def _begin(counts: Any) -> None:
    """In a child, once: one BLAS thread, and where to say how far it is."""
    global _counts
    _counts = counts
    threadpool_limits(1)


_counts: Any = None


def _walk(at: int, part: list[CandleFile], walk: Walk) -> list[Walked]:
    def told(done: int, _: int) -> None:
        _counts[at] = done

    return walk_forward(part, walk, told, _clock)


def judge_all(tested: Sequence[Tested]) -> list[Judged]:
    """The worth of all that can be judged."""
    measures: dict[tuple[int, str], Yardstick] = {}  # the same for every model
    judged = []
    for one in tested:
        for track in one.walked.tracks.values():
            place = (id(one.file), track.horizon)
            if place not in measures:
                measures[place] = yardstick(one.file, track.steps, track.confidence)
            worth = judge(track, measures[place])
            if worth is not None:
                about = (one.model, one.file.symbol, one.file.interval, track.horizon)
                judged.append(Judged(*about, worth, evidence_of(track, measures[place])))
    return judged


def costs(tested: Sequence[Tested]) -> list[Cost]:
    """What each model took, in the order of the walk."""
    by_model: dict[str, list[Tested]] = {}
    for one in tested:
        by_model.setdefault(one.model, []).append(one)
    return [
        cost_of(model, [one.walked for one in each], sum(len(one.file.open_ms) for one in each))
        for model, each in by_model.items()
    ]


def verdict(tested: Sequence[Tested], judged: Sequence[Judged]) -> dict[str, Any]:
    """Everything in one object, for machines."""
    return {
        "summary": summarise(judged),
        "series": [one.row() for one in judged],
        "fits": {
            one.model: sum(each.walked.fits for each in tested if each.model == one.model) for one in tested
        },
        "failedFits": sum(one.walked.failed_fits for one in tested),
    }


def write_records(path: Path, tested: Sequence[Tested]) -> int:
    """One line of JSON per forecast, by model, file, time and horizon; how many. Same input, same bytes."""
    count = 0
    raw = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as out:
        for one in tested:
            for line in _records(one):
                out.write(line)
                count += 1
    data = raw.getvalue()
    path.write_bytes(data if path.suffix == ".gz" else gzip.decompress(data))
    return count


def _records(tested: Tested) -> Iterator[bytes]:
    file, rows = tested.file, []
    for order, track in enumerate(tested.walked.tracks.values()):
        columns = (track.as_of, track.last_close, track.predicted, track.lower, track.upper)
        for as_of, *prices in zip(*(column.tolist() for column in columns), strict=True):
            rows.append((as_of, order, track, prices))
    rows.sort(key=lambda row: row[:2])
    for as_of, _, track, (close, predicted, lower, upper) in rows:
        record = {
            "symbol": file.symbol,
            "interval": file.interval,
            "horizon": track.horizon,
            "asOf": as_of,
            "target": as_of + track.steps * file.step_ms,
            "lastClose": close,
            "predictedPrice": predicted,
            "lowerBound": lower,
            "upperBound": upper,
            "confidence": track.confidence,
            "model": tested.model,
        }
        yield orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
