"""Are the models fresh? Ages, states, the queue of trainings and how they end."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import GREEN, ORANGE, RATE, RED, Place, Query, board, lines, number, quantile

_DURATION = "stream_lstm_training_duration_seconds"


def dashboard() -> Dashboard:
    """Whether trainings keep up with expiry."""
    return board(
        "freshness",
        "are the models fresh?",
        [(4, _figures()), (9, _models()), (9, _trainings()), (7, _worn())],
    )


def _figures() -> list[Place]:
    fresh = Query('sum(stream_lstm_models{state="fresh"}) / sum(stream_lstm_models)', "fresh")
    oldest = Query('max(stream_lstm_model_age_seconds{statistic="oldest"})', "oldest")
    backlog = Query("max(stream_lstm_training_backlog_seconds)", "backlog")
    failed = Query('sum(increase(stream_lstm_trainings_total{outcome="failed"}[1h]))', "failed")
    panels = [
        number(
            "Series with a fresh model",
            "The others are answered by a stale one, or by the hybrid.",
            fresh,
            unit="percentunit",
            steps=((0, RED), (0.5, ORANGE), (0.95, GREEN)),
        ),
        number(
            "Oldest model",
            "In stream time; above twice training.expiry it is an alert.",
            oldest,
            unit="s",
            steps=((0, GREEN), (86_400, ORANGE), (172_800, RED)),
        ),
        number("Backlog", "How long the queue of the slowest worker will take.", backlog, unit="s"),
        number(
            "Failed trainings, last hour",
            "The old model goes on answering.",
            failed,
            decimals=0,
            steps=((0, GREEN), (1, ORANGE), (3, RED)),
        ),
    ]
    return [Place(panel, 6) for panel in panels]


def _models() -> list[Place]:
    panels = [
        lines(
            "Series by the state of their model",
            "Missing: too few candles, or not trained yet. Stale: expired, still answering.",
            Query("sum by (state) (stream_lstm_models)", "{{state}}"),
            limits=(0, None),
        ),
        lines(
            "Model age",
            "In stream time.",
            Query('max(stream_lstm_model_age_seconds{statistic="oldest"})', "oldest"),
            Query('avg(stream_lstm_model_age_seconds{statistic="median"})', "median"),
            unit="s",
            limits=(0, None),
        ),
        lines(
            "Who answers",
            "Share of the predictions by type of model.",
            Query(
                f"sum by (model) (rate(stream_lstm_predictions_total{RATE}))"
                f" / ignoring (model) group_left () sum(rate(stream_lstm_predictions_total{RATE}))",
                "{{model}}",
            ),
            unit="percentunit",
            limits=(0, 1),
        ),
    ]
    return [Place(panel, 8) for panel in panels]


def _trainings() -> list[Place]:
    panels = [
        lines(
            "Trainings",
            "Ended, a minute. Dropped: their partition has moved.",
            Query(f"60 * sum by (outcome) (rate(stream_lstm_trainings_total{RATE}))", "{{outcome}}"),
            limits=(0, None),
        ),
        lines(
            "Queue",
            "Trainings that wait or run, by worker.",
            Query("sum by (instance) (stream_lstm_training_queue_length)", "{{instance}}"),
            limits=(0, None),
        ),
        lines(
            "Duration of a training",
            "Wall time.",
            *(Query(quantile(level, _DURATION), f"p{level * 100:g}") for level in (0.5, 0.99)),
            unit="s",
            limits=(0, None),
        ),
    ]
    return [Place(panel, 8) for panel in panels]


def _worn() -> list[Place]:
    panels = [
        lines(
            "Drifts, last hour",
            "Errors are not what they were, by the model's own scale. Many series at once are the market.",
            Query("sum by (detector) (increase(stream_lstm_drift_total[1h]))", "{{detector}}"),
            limits=(0, None),
        ),
        lines(
            "Models that were demoted, and that answer again, last day",
            "Worse than the naive forecast, which answers until a successor has proved itself.",
            Query("sum by (outcome) (increase(stream_lstm_demotions_total[1d]))", "{{outcome}}"),
            limits=(0, None),
        ),
    ]
    return [Place(panel, 12) for panel in panels]
