"""For a notebook: from a file of candles to a forecast, its quantiles and a picture, without Kafka."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from threadpoolctl import threadpool_limits

from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.contracts.prediction import PathPoint, Prediction
from stream_lstm.errors import SettingsError
from stream_lstm.forecasting.config import EngineConfig
from stream_lstm.forecasting.offline import predict_file

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SHOWN: Final = 120
"""Candles before the forecast that a picture shows."""
_BAND: Final = "rgba(31, 119, 180, 0.25)"


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast at the last candle of a file; `forecast["1d"]` is the prediction for a day ahead."""

    candles: CandleFile
    predictions: Mapping[str, Prediction]
    """By horizon, shortest first."""

    def __getitem__(self, horizon: str) -> Prediction:
        """The prediction of a horizon. Raises `KeyError` for one that is not forecast."""
        return self.predictions[horizon]

    def path(self) -> list[PathPoint]:
        """Predicted price and bounds at every later candle that is shown, in the order of time."""
        points = {point.timestamp: point for one in self.predictions.values() for point in one.predictions}
        return [points[at] for at in sorted(points)]

    def plot(self) -> "Figure":
        """The last candles and the forecast over the future. Needs plotly (extra `plots`)."""
        try:
            from plotly.graph_objects import Candlestick, Figure
        except ImportError as error:
            raise SettingsError('a plot needs plotly: pip install "stream-lstm[plots]"') from error
        open_, high, low, close = self.candles.ohlcv[-_SHOWN:, :4].T
        times = self.candles.open_ms[-_SHOWN:].astype("datetime64[ms]")
        name = f"{self.candles.symbol}, {self.candles.interval}"
        figure = Figure(Candlestick(x=times, open=open_, high=high, low=low, close=close, name=name))
        path = self.path()
        ahead = [point.timestamp for point in path]
        lower, upper = [point.lower_bound for point in path], [point.upper_bound for point in path]
        figure.add_scatter(
            x=_dates([*ahead, *reversed(ahead)]),
            y=[*upper, *reversed(lower)],
            fill="toself",
            fillcolor=_BAND,
            line={"width": 0},
            name=f"{path[0].confidence:.0%} interval",
        )
        predicted = [point.predicted_price for point in path]
        figure.add_scatter(x=_dates(ahead), y=predicted, mode="lines", name="predicted price")
        figure.update_layout(xaxis_rangeslider_visible=False, title=name, hovermode="x")
        return figure


def forecast(
    path: Path | str,
    *,
    horizons: Sequence[str] = ("1h", "4h", "1d", "7d"),
    confidence: float = 0.9,
    model: str = "lstm",
    exchange: str = "file",
    symbol: str | None = None,
    interval: str | None = None,
) -> Forecast:
    """Train on a file of candles and forecast what follows its last one.

    The file's name tells symbol and interval (`BTCUSDT-1h.csv.gz`), or say which they are. Raises
    `SettingsError` or `BadCandle` for a file that cannot be read, `TrainingFailed` for too few candles.
    """
    candles = read_csv(path, symbol=symbol, interval=interval)
    config = EngineConfig(horizons=tuple(horizons), confidence=confidence, model=model)
    with threadpool_limits(1):
        said = predict_file(config, candles, exchange, int(time.time() * 1000))
    return Forecast(candles, {one.horizon: Prediction.model_validate(one.body) for one in said})


def _dates(times_ms: Sequence[int]) -> list[str]:
    """Epoch ms as plotly reads dates."""
    return [time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at / 1000)) for at in times_ms]
