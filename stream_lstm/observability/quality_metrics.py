"""Whether forecasts are what they say, declared once: outcomes among their quantiles, drifts and demotions.

Counted over all series of a worker. Few values of each label: ten intervals, three regimes, 24 hours.
"""

from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter

_PREFIX: Final = "stream_lstm"

RANKS: Final = (
    *("0-0.01", "0.01-0.05", "0.05-0.1", "0.1-0.25", "0.25-0.5"),
    *("0.5-0.75", "0.75-0.9", "0.9-0.95", "0.95-0.99", "0.99-1"),
)
"""The intervals between the nine published quantiles: an outcome lies in each with the probability that its
name spans."""
DETECTORS: Final = ("page_hinkley", "adwin")
STANDINGS: Final = ("demoted", "restored")
UNKNOWN: Final = "UNKNOWN"
"""The regime of a market that is too young for one."""


class QualityMetrics:
    """Do outcomes come as they were said to, in every market, at every hour?"""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, namespace=_PREFIX, registry=registry)
        self.pit = counter(
            "forecast_pit_total",
            "Matured predictions by the interval between their published quantiles that held the outcome: "
            f"{', '.join(RANKS)}.",
            ("horizon", "bin"),
        )
        self.matured = counter(
            "forecast_matured_total",
            "Matured predictions by the volatility regime when they were said, and the hour (UTC) "
            "of their first candle.",
            ("horizon", "regime", "hour"),
        )
        self.inside = counter(
            "forecast_inside_total",
            "Those of them whose published interval held the outcome.",
            ("horizon", "regime", "hour"),
        )
        self.drifts = counter(
            "drift_total", f"Drifts detected, by detector: {', '.join(DETECTORS)}.", ("detector",)
        )
        self.demotions = counter(
            "demotions_total",
            "Models that the naive forecast has replaced, and that answer again: demoted, restored.",
            ("outcome",),
        )
        for detector in DETECTORS:  # from zero on, so that the first one counts as a rise
            self.drifts.labels(detector)
        for outcome in STANDINGS:
            self.demotions.labels(outcome)
