"""Are the forecasts honest? Coverage against what was promised, skill against the last price, width, bias."""

from itertools import pairwise

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import GREEN, ORANGE, RATE, RED, Place, Query, board, lines, number

_PIT = "stream_lstm_forecast_pit_total"
_LEVELS = ("0", "0.01", "0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.99", "1")
_HELD, _MATURED = "stream_lstm_forecast_inside_total", "stream_lstm_forecast_matured_total"
_NOMINAL = "stream_lstm:nominal:ratio and on (nominal) stream_lstm_forecast_coverage_ratio"


def dashboard() -> Dashboard:
    """Medians over the series, of what matured lately (half-life 500 scores)."""
    rows = [(4, _figures()), (9, _promise()), (9, _worth()), (9, _quality())]
    return board("honesty", "are the forecasts honest?", rows)


def _figures() -> list[Place]:
    worst = Query("max(stream_lstm:coverage_off:ratio)", "off")
    skill = Query("avg(stream_lstm_forecast_skill_ratio)", "skill")
    winkler = Query("avg(stream_lstm_forecast_winkler_ratio)", "Winkler")
    matured = Query("sum(stream_lstm_scores_total)", "scores")
    panels = [
        number(
            "Furthest from the promise",
            "Coverage minus nominal of the worst horizon, either way; 0.05 for half an hour is an alert.",
            worst,
            unit="percentunit",
            decimals=1,
            steps=((0, GREEN), (0.03, ORANGE), (0.05, RED)),
        ),
        number(
            "Skill against the last price",
            "1 - RMSE / RMSE of the random walk: about 0 by nature; far below is a fault.",
            skill,
            unit="percentunit",
            decimals=2,
        ),
        number(
            "Interval score against the naive one",
            "Winkler's, relative to an interval that anybody has without a model; below 1 is better.",
            winkler,
            decimals=3,
            steps=((0, GREEN), (1, ORANGE), (1.1, RED)),
        ),
        number("Scores", "Predictions that have matured since the workers started.", matured, decimals=0),
    ]
    return [Place(panel, 6) for panel in panels]


def _promise() -> list[Place]:
    panels = [
        lines(
            "Coverage against nominal",
            "Share of outcomes inside their interval, of the median series; dashed: what was asked for. "
            "The longer the horizon, the fewer of the scores are independent.",
            Query("avg by (horizon) (stream_lstm_forecast_coverage_ratio)", "{{horizon}}"),
            Query(_NOMINAL, "nominal {{nominal}}"),
            unit="percentunit",
            dashed=("nominal.*",),
        ),
        lines(
            "Scores by horizon",
            "A second: what the coverage rests on.",
            Query(f"sum by (horizon) (rate(stream_lstm_scores_total{RATE}))", "{{horizon}}"),
            unit="cps",
            limits=(0, None),
        ),
    ]
    return [Place(panels[0], 16), Place(panels[1], 8)]


def _worth() -> list[Place]:
    panels = [
        lines(
            "Skill against the last price",
            "By horizon. Nobody has any to speak of: a fault shows as far below 0.",
            Query("avg by (horizon) (stream_lstm_forecast_skill_ratio)", "{{horizon}}"),
            unit="percentunit",
        ),
        lines(
            "Interval score against the naive one",
            "Winkler's, by horizon; below 1 is better.",
            Query("avg by (horizon) (stream_lstm_forecast_winkler_ratio)", "{{horizon}}"),
        ),
        lines(
            "Bias",
            "Mean error relative to the mean absolute error; far from 0 everywhere points at the candles.",
            Query("avg by (horizon) (stream_lstm_forecast_bias_ratio)", "{{horizon}}"),
            limits=(-1, 1),
        ),
    ]
    return [Place(panel, 8) for panel in panels]


def _quality() -> list[Place]:
    pairs = [(low, high, float(high) - float(low)) for low, high in pairwise(_LEVELS)]
    hours = f"sum by (hour) (increase({_HELD}[7d])) / sum by (hour) (increase({_MATURED}[7d]))"
    panels = [
        lines(
            "Outcomes between two quantiles, against what was promised",
            "Probability integral transform, last day: share of outcomes in each interval between published "
            "quantiles over the share promised; 1 is honest. Too few outside: too wide.",
            *(
                Query(
                    f'sum(increase({_PIT}{{bin="{low}-{high}"}}[1d]))'
                    f" / sum(increase({_PIT}[1d])) / {share:g}",
                    f"{low} to {high}",
                )
                for low, high, share in pairs
            ),
            limits=(0, None),
        ),
        lines(
            "Coverage by volatility regime",
            "Last day, by the regime when it was said.",
            Query(
                f"sum by (regime) (increase({_HELD}[1d])) / sum by (regime) (increase({_MATURED}[1d]))",
                "{{regime}}",
            ),
            unit="percentunit",
        ),
        lines(
            "Coverage of the best and the worst hour of day",
            "UTC, last week, by the hour of the first candle.",
            Query(f"max({hours})", "best"),
            Query(f"min({hours})", "worst"),
            unit="percentunit",
        ),
    ]
    return [Place(panel, 8) for panel in panels]
