"""One series: its candles, its newest forecasts as a fan, and what came of those that matured.

Needs `metrics.per_series`. Prometheus knows when it looked, not when a candle closed, and draws no future:
the fan is told at the time at which it was said, each horizon with lines of its own.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import Place, Query, Row, band, board, candles, choice, lines, number

_SERIES = 'exchange="$exchange", symbol="$symbol", interval="$interval"'
_HORIZON = f'{_SERIES}, horizon="$horizon"'
_CANDLE = "stream_lstm_series_candle_price"
_FAN = "stream_lstm_series_forecast_price"
_LEVELS = {"0.05": "5%", "0.25": "25%", "0.5": "median", "0.75": "75%", "0.95": "95%"}


def dashboard() -> Dashboard:
    """Chosen by exchange, symbol, interval and horizon."""
    variables = [
        choice("exchange", "Exchange", f"label_values({_CANDLE}, exchange)"),
        choice("symbol", "Symbol", f'label_values({_CANDLE}{{exchange="$exchange"}}, symbol)'),
        choice(
            "interval",
            "Interval",
            f'label_values({_CANDLE}{{exchange="$exchange", symbol="$symbol"}}, interval)',
        ),
        choice("horizon", "Horizon", f"label_values({_FAN}{{{_SERIES}}}, horizon)"),
    ]
    rows: list[Row] = [(4, _figures()), (10, _prices()), (9, _past())]
    return board("series", "one series", rows, variables)


def _figures() -> list[Place]:
    panels = [
        number(
            "Close", "Of the newest closed candle.", Query(f'{_CANDLE}{{{_SERIES}, price="close"}}', "close")
        ),
        number(
            "Width of nine in ten",
            "From the 5% to the 95% quantile, relative to the median.",
            Query(
                f'({_FAN}{{{_HORIZON}, quantile="0.95"}}'
                f' - ignoring (quantile) {_FAN}{{{_HORIZON}, quantile="0.05"}})'
                f' / ignoring (quantile) {_FAN}{{{_HORIZON}, quantile="0.5"}}',
                "width",
            ),
            unit="percentunit",
            decimals=2,
        ),
        number(
            "Coverage",
            "Share of this series' outcomes inside their interval, lately.",
            Query(f"stream_lstm_series_forecast_coverage_ratio{{{_HORIZON}}}", "coverage"),
            unit="percentunit",
            decimals=1,
        ),
        number(
            "Model age",
            "In stream time.",
            Query(f"stream_lstm_series_model_age_seconds{{{_SERIES}}}", "age"),
            unit="s",
        ),
    ]
    return [Place(panel, 6) for panel in panels]


def _prices() -> list[Place]:
    drawn = [
        Query(f'{_CANDLE}{{{_SERIES}, price="{price}"}}', price) for price in ("open", "high", "low", "close")
    ]
    said = [Query(f'{_FAN}{{{_HORIZON}, quantile="{level}"}}', name) for level, name in _LEVELS.items()]
    fan = lines(
        "What is said for $horizon ahead",
        "The middle half and nine of ten outcomes around the median, at the time at which it was said.",
        *said,
        Query(f'{_CANDLE}{{{_SERIES}, price="close"}}', "close"),
        dashed=("median",),
    )
    return [
        Place(candles("Candles", "The newest closed candle at each look of Prometheus.", *drawn), 12),
        Place(band(band(fan, "95%", "5%", 15), "75%", "25%", 30), 12),
    ]


def _past() -> list[Place]:
    error = f"stream_lstm_series_forecast_error_ratio{{{_HORIZON}}}"
    bound = f"stream_lstm_series_forecast_bound_ratio{{{_HORIZON}"
    matured = lines(
        "Errors of what matured, within what was promised",
        "Actual minus predicted price, relative to the latter; the band is the interval that was published.",
        Query(error, "error"),
        Query(f'{bound}, bound="upper"}}', "upper bound"),
        Query(f'{bound}, bound="lower"}}', "lower bound"),
        unit="percentunit",
    )
    skill = lines(
        "Skill against the last price",
        "By horizon; about 0 by nature.",
        Query(f"stream_lstm_series_forecast_skill_ratio{{{_SERIES}}}", "{{horizon}}"),
        unit="percentunit",
    )
    coverage = lines(
        "Coverage",
        "By horizon, against what was asked for.",
        Query(f"stream_lstm_series_forecast_coverage_ratio{{{_SERIES}}}", "{{horizon}}"),
        unit="percentunit",
    )
    return [Place(band(matured, "upper bound", "lower bound", 15), 12), Place(coverage, 6), Place(skill, 6)]
