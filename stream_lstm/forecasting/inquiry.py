"""Questions about a series of an engine: what it says now, how far off it was, how its market went."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.columns import WINDOW, Columns
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.forecaster import Forecaster
from stream_lstm.forecasting.outputs import Prediction
from stream_lstm.forecasting.regimes import Market, markets_over
from stream_lstm.forecasting.series import Series
from stream_lstm.forecasting.track_record import Errors


class Inquiry:
    """Answers from the state as it is, and changes nothing."""

    def __init__(self, config: EngineConfig, columns: Columns, forecaster: Forecaster) -> None:
        self._config = config
        self._columns = columns
        self._forecaster = forecaster

    def predict(
        self, series: Series, now_ms: int, *, confidence: float | None = None, untrained: bool = False
    ) -> list[Prediction]:
        """What a series says of its newest candle, again, shortest horizon first.

        A model that was installed since then answers already. `untrained` asks the forecaster that needs
        none. Empty if the series is too young to be answered.
        """
        last = series.last
        if last is None or series.count < self._config.warm_up or not series.steps:
            return []
        number = series.number(last.open_ms)
        item = Item(series, last, number, series.count, series.revision, "revision", True, None)
        rows = np.array([series.row], np.intp)
        candle = self._columns.ratios(rows, np.array([last[3:8]]))
        seen = self._columns.look(rows, candle, np.array([last.open_ms]))
        config = self._config if confidence is None else replace(self._config, confidence=confidence)
        say = self._forecaster.predict_untrained if untrained else self._forecaster.predict_again
        return say([item], rows, seen, config, now_ms)

    def errors(self, series: Series) -> Errors:
        """How far off the forecasts of a series were lately: (1, K)."""
        return self._forecaster.errors(np.array([series.row], np.intp))

    def markets(self, series: Series, candles: int) -> tuple[NDArray[np.float64], list[Market]]:
        """The newest `candles` of a series, (n, 5) as its history has them, and the regime at each."""
        known = series.history.candles()
        regimes = markets_over(known[-candles - WINDOW :, 3].astype(np.float64), WINDOW)
        newest = known[-candles:].astype(np.float64)
        return newest, regimes[-len(newest) :]
