"""Is it working? Lag, throughput, latency, dead letters, rebalances, checkpoints."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import GREEN, ORANGE, RATE, RED, Place, Query, board, lines, number, quantile

_LATENCY = "stream_lstm_candle_to_prediction_seconds"
_RECORD = '{since="record"}'


def dashboard() -> Dashboard:
    """The one to open first."""
    rows = [(4, _figures()), (8, _lag()), (8, _flow()), (8, _time()), (8, _incidents()), (8, _saving())]
    return board("working", "is it working?", [*rows, (8, _machines())])


def _figures() -> list[Place]:
    workers = Query('sum(up{job="stream-lstm"})', "workers")
    lag = Query("stream_lstm:lag_seconds:max", "lag")
    closed = Query(f'sum(rate(stream_lstm_candles_total{{outcome="closed"}}{RATE}))', "candles")
    latency = Query("stream_lstm:record_to_prediction_seconds:p99", "p99")
    said = Query(f"sum(rate(stream_lstm_predictions_total{RATE}))", "predictions")
    dead = Query("sum(increase(stream_lstm_dead_letters_total[1h]))", "dead letters")
    slow = ((0, GREEN), (0.1, ORANGE), (1, RED))
    panels = [
        number(
            "Workers",
            "Workers that answer Prometheus.",
            workers,
            decimals=0,
            steps=((0, RED), (1, GREEN)),
        ),
        number(
            "Lag",
            "Age of the newest processed record of the worst partition, while there are more.",
            lag,
            unit="s",
            steps=((0, GREEN), (60, ORANGE), (600, RED)),
        ),
        number("Candles closed", "A second, over all series.", closed, unit="cps", decimals=1),
        number(
            "Latency p99",
            "From record received to predictions acknowledged by Kafka.",
            latency,
            unit="s",
            steps=slow,
        ),
        number("Predictions", "A second, over all series and horizons.", said, unit="cps", decimals=1),
        number(
            "Dead letters, last hour",
            "Records that could not be used; the runbook says what to do.",
            dead,
            decimals=0,
            steps=((0, GREEN), (1, ORANGE)),
        ),
    ]
    return [Place(panel, 4) for panel in panels]


def _lag() -> list[Place]:
    moved = "time() - max by (topic, partition) (stream_lstm_consumer_last_progress_timestamp_seconds)"
    panels = [
        lines(
            "Lag in time",
            "Age of the newest processed record while there are more, by the record's own timestamp.",
            Query("max by (topic, partition) (stream_lstm_consumer_lag_seconds)", "{{topic}}-{{partition}}"),
            unit="s",
            limits=(0, None),
        ),
        lines(
            "Lag in records",
            "High is no trouble by itself; high and growing is.",
            Query("sum by (topic, partition) (stream_lstm_consumer_lag_records)", "{{topic}}-{{partition}}"),
            limits=(0, None),
        ),
        lines(
            "Time since a partition moved",
            "Grows in a partition to which nobody writes; with lag it is an alert.",
            Query(moved, "{{topic}}-{{partition}}"),
            unit="s",
            limits=(0, None),
        ),
    ]
    return [Place(panel, 8) for panel in panels]


def _flow() -> list[Place]:
    panels = [
        lines(
            "Candles by outcome",
            "Late and duplicate ones say that a producer repeats.",
            Query(f"sum by (outcome) (rate(stream_lstm_candles_total{RATE}))", "{{outcome}}"),
            unit="cps",
        ),
        lines(
            "Predictions by model",
            "Hybrid: no trained model yet.",
            Query(f"sum by (model) (rate(stream_lstm_predictions_total{RATE}))", "{{model}}"),
            unit="cps",
        ),
        lines(
            "Predictions matured",
            "Scored, by horizon.",
            Query(f"sum by (horizon) (rate(stream_lstm_scores_total{RATE}))", "{{horizon}}"),
            unit="cps",
        ),
    ]
    return [Place(panel, 8) for panel in panels]


def _time() -> list[Place]:
    panels = [
        lines(
            "Record received to predictions acknowledged",
            "What the worker and Kafka add.",
            *(Query(quantile(level, _LATENCY, _RECORD), f"p{level * 100:g}") for level in (0.5, 0.9, 0.99)),
            unit="s",
            limits=(0, None),
        ),
        lines(
            "Candle closed to predictions acknowledged",
            "What a reader waits for, the exchange and the producer included; of a replay it says nothing.",
            Query(quantile(0.5, _LATENCY, '{since="close"}'), "p50"),
            Query(quantile(0.99, _LATENCY, '{since="close"}'), "p99"),
            unit="s",
            limits=(0, None),
        ),
        lines(
            "Event loop p99",
            "How long it takes to answer, and the CPU time of a turn.",
            Query(quantile(0.99, "stream_lstm_event_loop_lag_seconds"), "answer"),
            Query(quantile(0.99, "stream_lstm_turn_cpu_seconds"), "CPU of a turn"),
            unit="s",
            limits=(0, None),
        ),
    ]
    return [Place(panel, 8) for panel in panels]


def _incidents() -> list[Place]:
    restores = "stream_lstm_consumer_restore_duration_seconds"
    panels = [
        lines(
            "Dead letters by reason",
            "Also in the header stream-lstm.reason of each letter.",
            Query(f"sum by (reason) (rate(stream_lstm_dead_letters_total{RATE})) > 0", "{{reason}}"),
            unit="cps",
        ),
        lines(
            "Rebalances and restores, in ten minutes",
            "One assignment per start or stop of a worker is normal.",
            Query("sum(increase(stream_lstm_consumer_rebalances_total[10m]))", "assignments"),
            Query(f"sum(increase({restores}_count[10m]))", "partitions restored"),
            limits=(0, None),
        ),
        lines(
            "Restore of a partition",
            "From its assignment to its going live, over the last hour.",
            Query(f"histogram_quantile(0.5, sum by (le) (increase({restores}_bucket[1h])))", "median"),
            Query(f"histogram_quantile(1, sum by (le) (increase({restores}_bucket[1h])))", "slowest"),
            unit="s",
            limits=(0, None),
        ),
    ]
    return [Place(panel, 8) for panel in panels]


def _saving() -> list[Place]:
    panels = [
        lines(
            "Not in a checkpoint yet",
            "For how long; what a restart would read again.",
            Query(
                "max by (topic, partition) (stream_lstm_checkpoint_age_seconds)", "{{topic}}-{{partition}}"
            ),
            unit="s",
            limits=(0, None),
        ),
        lines(
            "Checkpoints",
            "A minute, by outcome, and their p99.",
            Query(f"60 * sum by (outcome) (rate(stream_lstm_checkpoints_total{RATE}))", "{{outcome}}"),
            Query(quantile(0.99, "stream_lstm_checkpoint_duration_seconds"), "p99, seconds"),
            limits=(0, None),
        ),
        lines(
            "Commands answered",
            "A minute, by outcome.",
            Query(
                f"60 * sum by (command, outcome) (rate(stream_lstm_commands_total{RATE}))",
                "{{command}} {{outcome}}",
            ),
            limits=(0, None),
        ),
    ]
    return [Place(panel, 8) for panel in panels]


def _machines() -> list[Place]:
    panels = [
        lines(
            "CPU of the workers",
            "Cores, without their training processes.",
            Query(f'rate(process_cpu_seconds_total{{job="stream-lstm"}}{RATE})', "{{instance}}"),
            limits=(0, None),
        ),
        lines(
            "Memory of the workers",
            "Resident.",
            Query('process_resident_memory_bytes{job="stream-lstm"}', "{{instance}}"),
            unit="bytes",
            limits=(0, None),
        ),
        lines(
            "Versions",
            "Workers by what decides the bits of a forecast: there should be one line.",
            Query(
                "count by (version, python, numpy, blas) (stream_lstm_build_info)",
                "{{version}} {{numpy}} {{blas}}",
            ),
            limits=(0, None),
        ),
    ]
    return [Place(panel, 8) for panel in panels]
