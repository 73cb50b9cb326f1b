"""Metrics of each series: its candle, its forecasts as a fan, and what became of the last that matured."""

import numpy as np

from stream_lstm.candles.series import SeriesKey
from stream_lstm.forecasting.outputs import Body, Outputs, Prediction, Score
from stream_lstm.forecasting.series import Series
from stream_lstm.forecasting.track_record import Record
from stream_lstm.observability.series_metrics import FAN, SeriesMetrics

_Place = tuple[SeriesKey, str]
"""Series and horizon."""


class SeriesTelemetry:
    """Keeps what each series said last until somebody looks. Every method returns at once."""

    def __init__(self, gauges: SeriesMetrics) -> None:
        self._gauges = gauges
        self._predictions: dict[_Place, Prediction] = {}
        self._scores: dict[_Place, Score] = {}

    def published(self, outputs: Outputs) -> None:
        """Note the newest; its message is read when the gauges are set, not for every candle."""
        for prediction in outputs.predictions:
            self._predictions[prediction.series, prediction.horizon] = prediction
        for score in outputs.scores:
            self._scores[score.series, score.horizon] = score

    def look(self, record: Record | None, all_series: list[Series]) -> None:
        """Set the gauges of the series that are here now, and of no other any more."""
        self._gauges.clear()
        here = {series.key for series in all_series}
        self._predictions = {at: said for at, said in self._predictions.items() if at[0] in here}
        self._scores = {at: score for at, score in self._scores.items() if at[0] in here}
        if record is not None:
            for at, series in enumerate(all_series):
                self._quality(record, at, series)
                self._candle(series)
        for (key, horizon), said in self._predictions.items():
            self._fan(key, horizon, said.body)
        for (key, horizon), score in self._scores.items():
            self._matured(key, horizon, score.body)

    def _quality(self, record: Record, at: int, series: Series) -> None:
        for k, horizon in enumerate(series.horizons):
            for gauge, values in (
                (self._gauges.coverage_ratio, record.coverage),
                (self._gauges.skill_ratio, record.skill),
            ):
                if not np.isnan(values[at, k]):
                    gauge.labels(*series.key, horizon.name).set(float(values[at, k]))

    def _candle(self, series: Series) -> None:
        if (age := age_seconds(series)) is not None:
            self._gauges.model_age_seconds.labels(*series.key).set(age)
        if (last := series.last) is not None:
            prices = {"open": last.open, "high": last.high, "low": last.low, "close": last.close}
            for name, price in prices.items():
                self._gauges.candle_price.labels(*series.key, name).set(price)

    def _fan(self, key: SeriesKey, horizon: str, body: Body) -> None:
        for level in FAN:
            self._gauges.forecast_price.labels(*key, horizon, level).set(body["quantiles"][level])

    def _matured(self, key: SeriesKey, horizon: str, body: Body) -> None:
        predicted = body["predictedPrice"]
        self._gauges.error_ratio.labels(*key, horizon).set(body["error"] / predicted)
        for bound in ("lower", "upper"):
            distance = (body[f"{bound}Bound"] - predicted) / predicted
            self._gauges.bound_ratio.labels(*key, horizon, bound).set(distance)


def age_seconds(series: Series) -> float | None:
    """Age of a series' model in stream time; None without one."""
    if series.model is None or series.last is None:
        return None
    return (series.last.close_ms - series.model.metadata.trained_at) / 1000
