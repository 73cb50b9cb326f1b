"""Memory of 10,000 series over a week of stream time: 168 hourly candles each, from a full history on.

Records go through `Partition` and `Engine`, and what is said is written and thrown away; there is no Kafka.
The history is short (200 candles), so that it forgets within the week. A few series are fed from their
beginning, each from a moment of its own, so that their blocks do not end together; the rest are copies of
them. Every model that expires is replaced by one that was read from a file, as a worker does.

What still grows, some 300 bytes a series and day, are the names of the models that answered the open
predictions of 7 d: it ends with the week, after which the oldest leave as new ones come.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import bank
import numpy as np
import report
from installation import START_MS

from stream_lstm.candles import moments
from stream_lstm.candles.encode import canonical
from stream_lstm.candles.series import Closed, SeriesKey
from stream_lstm.checkpoints.codec import Checkpoint, Origin
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.engine import Engine
from stream_lstm.forecasting.history import BLOCK, Block
from stream_lstm.forecasting.partition_state import PartitionState
from stream_lstm.models.files import from_safetensors, to_safetensors
from stream_lstm.models.model import Model
from stream_lstm.streaming.partition import Partition

SERIES: Final = 10_000
FED: Final = 50
WEEK: Final = 168
CANDLES: Final = 200
"""Of a history."""
PLACE: Final = ("candles", 0)
HOUR: Final = "1h"
DAY: Final = 24
FETCH: Final = 1_000
"""Records that a worker fetches at once."""
TARGET_SHARE: Final = 0.01
"""Most growth from the middle to the end."""


class Value(NamedTuple):
    """A record, as far as it is read."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def resident_mb() -> float:
    """Memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Week:
    """One partition and the market that it reads."""

    def __init__(self, series: int, fed: int) -> None:
        self.engine = Engine(EngineConfig(history_candles=CANDLES))
        self.queued = 0
        """Most records that waited in the partition."""
        self.said = 0
        """Predictions and scores."""
        self.trained = 0
        self._file = to_safetensors(bank.models(1)[0])
        self._offsets = count(1)
        self._copies = series // fed
        self._market = moments.of_market(moments.symbols(fed), interval=HOUR, start_ms=START_MS, seed=1)
        self._newest_ms = 0
        self._partition = Partition(PLACE, self.engine, seek=1, live_from=0, most_series=series)
        state = _copied(self._beginning(fed), self._copies)
        origin = Origin(
            topic=PLACE[0],
            partition=PLACE[1],
            offset=1,
            partitions=1,
            last_offset=0,
            last_crc=0,
            fingerprint="",
        )
        models = {SeriesKey(*told["key"]): self._model() for told in state.series}
        checkpoint = Checkpoint(origin=origin, state=state, closing={"clock": 0, "series": []})
        self._partition.take_up(checkpoint, models)

    def _model(self) -> Model:
        """One of now, with arrays of its own."""
        model = from_safetensors(self._file)
        return replace(model, metadata=replace(model.metadata, trained_at=self._newest_ms))

    def _beginning(self, fed: int) -> PartitionState:
        """The state of a few series whose histories have been full for a while."""
        engine = Engine(EngineConfig(history_candles=CANDLES))
        began = BLOCK + CANDLES
        for at, moment in enumerate(islice(self._market, began + BLOCK)):
            for number, candle in enumerate(moment):
                if at >= number * BLOCK // fed:
                    engine.admit(0, candle, None, live=at >= began + BLOCK - WEEK)
            engine.advance(0)
            self._newest_ms = moment[0].close_ms
            if at == began:
                for candle in moment:
                    engine.install(candle.series, self._model())
        return engine.export(0)

    def hour(self) -> None:
        """One candle of every series."""
        for candles in self._moment():
            self._partition.feed(map(self._record, candles), 0.0)
            self.queued = max(self.queued, self._partition.queued)
            while self._partition.ready:
                taken = self._partition.turn(FETCH)
                for outputs in self.engine.advance(0).values():
                    bodies = [said.body for said in (*outputs.predictions, *outputs.scores)]
                    self.said += len(bodies)
                for request in taken.requests:
                    self._partition.install(request.seat, self._model())
                    self.trained += 1

    def _moment(self) -> Iterator[list[Closed]]:
        """The next moment of the market, as much at once as a worker fetches."""
        fed = next(self._market)
        self._newest_ms = fed[0].close_ms
        together = FETCH // len(fed)
        for first in range(0, self._copies, together):
            copies = range(first, min(first + together, self._copies))
            yield [candle._replace(series=_named(candle.series, copy)) for copy in copies for candle in fed]

    def _record(self, candle: Closed) -> Value:
        return Value(next(self._offsets), candle.close_ms, candle.series.symbol.encode(), canonical(candle))


def _named(series: SeriesKey, copy: int) -> SeriesKey:
    return series._replace(symbol=f"{series.symbol}{copy}")


def _copied(state: PartitionState, times: int) -> PartitionState:
    """A state with that many copies of each of its series, that share nothing."""

    def told(one: dict[str, Any], copy: int) -> dict[str, Any]:
        return one | {"key": list(_named(SeriesKey(*one["key"]), copy))}

    return PartitionState(
        series=[told(one, copy) for copy in range(times) for one in state.series],
        arrays={name: np.concatenate([array] * times) for name, array in state.arrays.items()},
        answerers=state.answerers,
        histories=[[*map(_own, blocks)] for _ in range(times) for blocks in state.histories],
    )


def _own(block: Block) -> Block:
    parts = ("state", "candles", "steps", "synthetic")
    return replace(block, **{name: getattr(block, name).copy() for name in parts})


def main() -> None:
    """Measure and publish."""
    options = report.arguments(__doc__ or "")
    report.on_one_native_thread()
    series, fed = (500, 10) if options.quick else (SERIES, FED)
    week = Week(series, fed)
    found = report.Report("week")
    resident = []
    for hour in range(WEEK + 1):
        resident.append(resident_mb())
        if hour % DAY == 0:
            found.rows.append(
                {
                    "what": f"day {hour // DAY}",
                    "resident_mb": resident[-1],
                    "models_replaced": week.trained,
                    "predictions_and_scores": week.said,
                    "most_records_queued": week.queued,
                }
            )
        if hour < WEEK:
            week.hour()
    growth = resident[-1] / resident[WEEK // 2] - 1
    found.ratios["growth_of_the_second_half"] = report.Ratio(growth, TARGET_SHARE, least=False)
    found.publish(options.json)


if __name__ == "__main__":
    main()
