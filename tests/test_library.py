"""From a file to a forecast in a few lines."""

from pathlib import Path

import pytest

from stream_lstm.candles.synthetic import market
from stream_lstm.errors import SettingsError, TrainingFailed
from stream_lstm.library import Forecast, forecast

HOUR = 3_600_000


def write(folder: Path, candles: int) -> Path:
    """A file of synthetic candles."""
    open_ms, bars = market(["BTCUSDT"], step_ms=HOUR, start_ms=1_600_000_200_000, candles=candles, seed=2)[
        "BTCUSDT"
    ]
    path = folder / "BTCUSDT-1h.csv"
    rows = (
        f"{at},{','.join(map(repr, row))}" for at, row in zip(open_ms.tolist(), bars.tolist(), strict=True)
    )
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Forecast:
    return forecast(write(tmp_path_factory.mktemp("candles"), 600), horizons=("1h", "4h", "1d"))


def test_it_has_a_prediction_for_each_horizon_at_the_last_candle(told: Forecast) -> None:
    assert list(told.predictions) == ["1h", "4h", "1d"]
    last = int(told.candles.open_ms[-1]) + HOUR - 1
    for prediction in told.predictions.values():
        assert prediction.as_of == last
        assert prediction.last_close == told.candles.ohlcv[-1, 3]
        assert prediction.model_info.model_type == "lstm"
        assert prediction.model_info.last_trained == last - HOUR


def test_quantiles_and_probabilities_are_each_others_inverse(told: Forecast) -> None:
    day = told["1d"]
    for level in (0.01, 0.05, 0.3, 0.5, 0.77, 0.99):
        assert day.probability_above(day.quantile(level)) == pytest.approx(1 - level)
    assert day.quantile(0.05) == pytest.approx(day.quantiles["0.05"])
    assert day.probability_above(1e-9) == pytest.approx(0.99)
    assert day.probability_above(1e9) == pytest.approx(0.01)
    with pytest.raises(ValueError, match=r"level 0\.999 is not between 0\.01 and 0\.99"):
        day.quantile(0.999)
    with pytest.raises(ValueError, match="not positive"):
        day.probability_above(0)


def test_the_path_rises_in_time_and_ends_at_the_longest_horizon(told: Forecast) -> None:
    times = [point.timestamp for point in told.path()]
    assert times == sorted(set(times))
    assert times[-1] == told["1d"].predictions[-1].timestamp


def test_a_picture_shows_the_candles_and_the_interval(told: Forecast) -> None:
    candles, band, line = told.plot().data
    assert list(candles.close)[-1] == told["1h"].last_close
    assert max(band.y) == max(point.upper_bound for point in told.path())
    assert len(line.x) == len(told.path())


def test_what_cannot_be_forecast_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="60 candles since the last long gap, and a forecast needs 101"):
        forecast(write(tmp_path, 60))
    with pytest.raises(SettingsError, match="does not tell symbol and interval"):
        forecast(write(tmp_path, 120).rename(tmp_path / "candles.csv"))
