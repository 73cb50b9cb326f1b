"""Metrics with a label per series, declared once. They grow with the symbols: `metrics.per_series` is off."""

from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

_PREFIX: Final = "stream_lstm"
_SERIES: Final = ("exchange", "symbol", "interval", "horizon")

FAN: Final = ("0.05", "0.25", "0.5", "0.75", "0.95")
"""Quantiles that draw a fan: the median, the middle half and nine of ten."""


class SeriesMetrics:
    """The same per series: only where `metrics.per_series` is on, since it grows with the symbols."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, namespace=_PREFIX, registry=registry)
        self.skill_ratio = gauge(
            "series_forecast_skill_ratio",
            "As forecast_skill_ratio, of one series.",
            _SERIES,
        )
        self.coverage_ratio = gauge(
            "series_forecast_coverage_ratio",
            "As forecast_coverage_ratio, of one series.",
            _SERIES,
        )
        self.model_age_seconds = gauge(
            "series_model_age_seconds",
            "Age of one series' model in stream time.",
            _SERIES[:3],
        )
        self.candle_price = gauge(
            "series_candle_price",
            "The newest closed candle: open, high, low, close.",
            (*_SERIES[:3], "price"),
        )
        self.forecast_price = gauge(
            "series_forecast_price",
            "The newest forecast as prices at quantiles of its distribution: {levels}.".format(
                levels=", ".join(FAN)
            ),
            (*_SERIES, "quantile"),
        )
        self.error_ratio = gauge(
            "series_forecast_error_ratio",
            "Actual minus predicted price of the forecast that matured last, relative to the predicted one.",
            _SERIES,
        )
        self.bound_ratio = gauge(
            "series_forecast_bound_ratio",
            "Its lower and its upper bound, relative to its predicted price in the same way.",
            (*_SERIES, "bound"),
        )

    def clear(self) -> None:
        """Drop all values: the series that are here now are set anew."""
        for gauge in (
            self.skill_ratio,
            self.coverage_ratio,
            self.model_age_seconds,
            self.candle_price,
            self.forecast_price,
            self.error_ratio,
            self.bound_ratio,
        ):
            gauge.clear()
