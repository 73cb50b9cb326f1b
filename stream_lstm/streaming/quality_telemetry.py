"""From what is published to the metrics of quality: a silent replay publishes and counts nothing."""

from collections import Counter

from stream_lstm.forecasting.drift_watch import DRIFT
from stream_lstm.forecasting.outputs import Outputs
from stream_lstm.forecasting.standing import DEMOTED, RESTORED
from stream_lstm.observability.quality_metrics import RANKS, UNKNOWN, QualityMetrics

_STANDING = {DEMOTED: "demoted", RESTORED: "restored"}


class QualityTelemetry:
    """Counts what matured, drifted and was demoted. Every method returns at once."""

    def __init__(self, metrics: QualityMetrics) -> None:
        self._metrics = metrics
        self._horizons: set[str] = set()

    def published(self, outputs: Outputs) -> None:
        """What was said about the series of one partition and is acknowledged now."""
        metrics = self._metrics
        ranks = Counter((score.horizon, score.quality.rank) for score in outputs.scores)
        for (horizon, rank), count in ranks.items():
            self._begin(horizon)
            metrics.pit.labels(horizon, RANKS[rank]).inc(count)
        told = Counter((score.horizon, score.quality._replace(rank=0)) for score in outputs.scores)
        for (horizon, quality), count in told.items():
            labels = (horizon, quality.regime or UNKNOWN, f"{quality.hour:02d}")
            metrics.matured.labels(*labels).inc(count)
            # both from the first outcome on, so that their ratio is there
            metrics.inside.labels(*labels).inc(count if quality.inside else 0)
        for event in outputs.events:
            if event.type == DRIFT:
                metrics.drifts.labels(event.data["detector"]).inc()
            elif event.type in _STANDING:
                metrics.demotions.labels(_STANDING[event.type]).inc()

    def _begin(self, horizon: str) -> None:
        """All intervals of a horizon from zero on, so that one that is never hit shows as such."""
        if horizon not in self._horizons:
            self._horizons.add(horizon)
            for name in RANKS:
                self._metrics.pit.labels(horizon, name)
