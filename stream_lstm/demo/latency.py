"""How long a worker took, from its own metrics: quantiles of a histogram between two scrapes."""

import urllib.request
from itertools import pairwise
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from stream_lstm.errors import StreamLstmError

_NAME: Final = "stream_lstm_candle_to_prediction_seconds"
_SINCE: Final = "record"
_SCRAPE_SECONDS: Final = 3.0


class Histogram(NamedTuple):
    """Cumulative counts of durations in seconds, as Prometheus has them.

    >>> Histogram((0.01, 0.02, float("inf")), (50, 100, 100)).quantile(0.75)
    0.015
    """

    bounds: tuple[float, ...] = ()
    """Upper bounds of the buckets, rising; the last is infinite."""
    counts: tuple[float, ...] = ()
    """How many durations were at most that long."""

    def since(self, earlier: "Histogram") -> "Histogram":
        """What has been counted after an earlier scrape of the same process."""
        if not earlier.counts:
            return self
        differences = zip(self.counts, earlier.counts, strict=True)
        return Histogram(self.bounds, tuple(now - then for now, then in differences))

    def quantile(self, level: float) -> float | None:
        """The duration that a share `level` did not exceed, linear within a bucket; None if there is none.

        In the last bucket, which has no end, it is where that begins.
        """
        total = self.counts[-1] if self.counts else 0
        if not total:
            return None
        rank = level * total
        ranges = pairwise(zip((0.0, *self.bounds), (0.0, *self.counts), strict=True))
        for (lower, below), (upper, until) in ranges:
            if until >= rank and until > below and upper < float("inf"):
                return lower + (upper - lower) * (rank - below) / (until - below)
        return self.bounds[-2]


def parse(text: str) -> Histogram:
    """From record received to predictions acknowledged, out of a scrape; empty if nothing was measured."""
    buckets: list[tuple[float, float]] = []
    for family in text_string_to_metric_families(text):
        if family.name == _NAME:
            buckets += [
                (float(sample.labels["le"]), sample.value)
                for sample in family.samples
                if sample.name == f"{_NAME}_bucket" and sample.labels["since"] == _SINCE
            ]
    if not buckets:
        return Histogram()
    bounds, counts = zip(*sorted(buckets), strict=True)
    return Histogram(bounds, counts)


def scrape(url: str) -> Histogram:
    """Read it from a worker at `url`, which this blocks for. Raises `StreamLstmError` if nobody answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/metrics", timeout=_SCRAPE_SECONDS) as answer:
            return parse(answer.read().decode())
    except OSError as error:
        raise StreamLstmError(f"the metrics at {url} cannot be read: {error}") from error
