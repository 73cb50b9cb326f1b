"""A NautilusTrader actor that puts predictions on the message bus, as data that strategies subscribe to.

    config = PredictionsConfig(kafka="localhost:9092", symbols={"BTCUSDT": "BTCUSDT.BINANCE"})
    node.trader.add_actor(Predictions(config))

A strategy calls `self.subscribe_data(DataType(Forecast))` and gets each in `on_data`. Times are in
nanoseconds: `ts_event` is the close of the candle, `ts_init` when it came here.
"""

import asyncio

from nautilus_trader.common.actor import Actor
from nautilus_trader.common.config import ActorConfig
from nautilus_trader.core.data import Data
from nautilus_trader.model.custom import customdataclass
from nautilus_trader.model.data import DataType
from nautilus_trader.model.identifiers import InstrumentId

from stream_lstm.client import Prediction, PredictionStream


@customdataclass
class Forecast(Data):
    """One horizon of one instrument. Prices in quote units, probabilities and targetPct as fractions."""

    instrument_id: InstrumentId
    horizon: str
    last_close: float
    lower: float
    upper: float
    down: float
    up: float
    target_pct: float


class PredictionsConfig(ActorConfig, frozen=True):
    """Where predictions come from, and which instrument each symbol is."""

    symbols: dict[str, str]
    kafka: str = "localhost:9092"
    prefix: str = ""
    horizons: tuple[str, ...] = ("1h",)


class Predictions(Actor):
    """Reads while it runs. A failure of Kafka ends the reading and is logged."""

    def __init__(self, config: PredictionsConfig) -> None:
        super().__init__(config)
        self._reading: asyncio.Task[None] | None = None

    def on_start(self) -> None:
        # The node's own loop: everything on the bus happens in one thread.
        self._reading = asyncio.get_running_loop().create_task(self._read())

    def on_stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self) -> None:
        config = self.config
        chosen = {"symbols": list(config.symbols), "horizons": list(config.horizons)}
        try:
            async with PredictionStream(config.kafka, prefix=config.prefix, **chosen) as stream:
                async for prediction in stream:
                    self.publish_data(DataType(Forecast), self._forecast(prediction))
        except Exception as error:  # noqa: BLE001  nobody awaits the task: what ends it must be seen
            self.log.error(f"no more predictions: {error!r}")

    def _forecast(self, prediction: Prediction) -> Forecast:
        last = prediction.predictions[-1]
        return Forecast(
            ts_event=prediction.as_of * 1_000_000,
            ts_init=self.clock.timestamp_ns(),
            instrument_id=InstrumentId.from_str(self.config.symbols[prediction.symbol]),
            horizon=prediction.horizon,
            last_close=prediction.last_close,
            lower=last.lower_bound,
            upper=last.upper_bound,
            down=prediction.direction.down,
            up=prediction.direction.up,
            target_pct=prediction.target_pct,
        )
