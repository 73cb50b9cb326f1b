"""Questions about a series of an engine: what it says now, how far off it was, how its market went."""

from dataclasses import replace
from typing import NamedTuple

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


class Markets(NamedTuple):
    """The market at each of n candles, oldest first."""

    close_ms: NDArray[np.int64]
    """(n,) close times."""
    closes: NDArray[np.float64]
    """(n,) in units of the series' own."""
    volumes: NDArray[np.float64]
    """(n,)"""
    regimes: list[Market]


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

    def markets(self, series: Series, candles: int) -> "Markets":
        """The newest n candles of a series, as far as it has so many, and the market at each."""
        known, numbers = series.history.candles(), series.history.steps()
        regimes = markets_over(known[-candles - WINDOW :, 3].astype(np.float64), WINDOW)
        newest = known[-candles:].astype(np.float64)
        closes_ms = series.first_open_ms + (numbers[-candles:].astype(np.int64) + 1) * series.step_ms - 1
        return Markets(closes_ms, newest[:, 3], newest[:, 4], regimes[-len(newest) :])
