"""A freqtrade strategy whose indicators are predictions: entry and exit by direction, stop by targetPct.

    cp examples/freqtrade_strategy.py user_data/strategies/
    STREAM_LSTM_KAFKA=localhost:9092 freqtrade trade --dry-run --strategy StreamLstm

Backtesting reads what was said at the time, each prediction beside the candle that it was made at:

    stream-lstm watch --since 90d --horizon 1h --json > said.jsonl      # Ctrl-C when it stands still
    STREAM_LSTM_SAID=said.jsonl freqtrade backtesting --strategy StreamLstm

There is no edge in the price: the probabilities differ little, and the strategy enters seldom. What is worth
something is the stop, which is as far away as the market moves.
"""

import asyncio
import os
import threading
from pathlib import Path

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from stream_lstm.client import Prediction, PredictionStream

KEPT = 10_000
"""Predictions of each symbol that are kept, the newest."""


class Said:
    """Predictions by symbol and open time of their candle, from a file, and from Kafka while the bot runs."""

    def __init__(self) -> None:
        self._by_symbol: dict[str, dict[int, Prediction]] = {}

    def take(self, prediction: Prediction) -> None:
        step = prediction.valid_until - prediction.as_of
        of_symbol = self._by_symbol.setdefault(prediction.symbol, {})
        of_symbol[prediction.as_of + 1 - step] = prediction
        if len(of_symbol) > KEPT:
            del of_symbol[min(of_symbol)]

    def at(self, pair: str, opened_ms: int) -> Prediction | None:
        """What was said when the candle that opened then had closed."""
        return self._by_symbol.get(pair.split(":")[0].replace("/", ""), {}).get(opened_ms)

    def load(self, path: Path) -> None:
        for line in path.read_text().splitlines():
            self.take(Prediction.model_validate_json(line))

    async def follow(self, kafka: str, prefix: str, horizon: str) -> None:
        async with PredictionStream(kafka, prefix=prefix, horizons=[horizon]) as stream:
            async for prediction in stream:
                self.take(prediction)


class StreamLstm(IStrategy):
    """Long while going up is likelier than going down by `edge`."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    stoploss = -0.25
    use_custom_stoploss = True
    minimal_roi = {"0": 10}  # noqa: RUF012  freqtrade's way
    process_only_new_candles = False  # a prediction may come a moment after the candle
    edge = 0.03
    stop_distance = 2.0
    """In targetPct."""

    def bot_start(self, **_: object) -> None:
        self.said = Said()
        if path := os.environ.get("STREAM_LSTM_SAID"):
            self.said.load(Path(path))
        if kafka := os.environ.get("STREAM_LSTM_KAFKA"):
            # freqtrade's loop is not ours to wait in.
            work = self.said.follow(kafka, os.environ.get("STREAM_LSTM_PREFIX", ""), self.timeframe)
            threading.Thread(target=asyncio.run, args=(work,), daemon=True).start()

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        opened = [int(date.timestamp() * 1_000) for date in dataframe["date"]]
        said = [self.said.at(metadata["pair"], each) for each in opened]
        dataframe["up"] = [each and each.direction.up for each in said]
        dataframe["down"] = [each and each.direction.down for each in said]
        dataframe["target_pct"] = [each and each.target_pct for each in said]
        columns = ["up", "down", "target_pct"]
        dataframe[columns] = dataframe[columns].astype(float)
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["up"] - dataframe["down"] > self.edge, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[dataframe["down"] - dataframe["up"] > self.edge, "exit_long"] = 1
        return dataframe

    def custom_stoploss(self, pair: str, trade: Trade, *_: object, **__: object) -> float | None:
        """Twice the standard deviation that is expected, below the price; unchanged where nothing is said."""
        frame, _at = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        if frame.empty or not frame["target_pct"].iloc[-1] > 0:
            return None
        return -self.stop_distance * float(frame["target_pct"].iloc[-1])
