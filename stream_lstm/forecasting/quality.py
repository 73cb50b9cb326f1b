"""What a matured prediction counts for: where its outcome lay, in which market and at which hour."""

from typing import Final

from stream_lstm.forecasting.admission import Item
from stream_lstm.forecasting.messages import Outcome
from stream_lstm.forecasting.outputs import Quality
from stream_lstm.forecasting.regimes import named

_HOUR_MS: Final = 3_600_000


def quality_of(item: Item, horizon: int, outcome: Outcome) -> Quality:
    """Of a prediction at the horizon whose target is the candle of `item`."""
    series = item.series
    opened_ms = item.candle.close_ms + 1 - series.horizons[horizon].steps * series.step_ms
    hour = opened_ms // _HOUR_MS % 24
    return Quality(outcome.rank, outcome.inside, named(outcome.regime), hour)
