import orjson

from stream_lstm.candles.series import SeriesKey
from stream_lstm.demo.tally import Tally

A, B = SeriesKey("x", "A", "1h"), SeriesKey("x", "B", "1h")


def prediction(series: SeriesKey, as_of: int, model: str = "lstm") -> bytes:
    return orjson.dumps(series._asdict() | {"asOf": as_of, "modelInfo": {"modelType": model}})


def score(horizon: str, target: int, inside: bool) -> bytes:
    return orjson.dumps({"horizon": horizon, "target": target, "inside": inside})


def test_predictions_are_counted_by_model_and_candles_once_for_all_horizons() -> None:
    tally = Tally()
    for body in (prediction(A, 1), prediction(A, 1), prediction(A, 2, "hybrid"), prediction(B, 1)):
        tally.offer("predictions", body)
    assert tally.predictions == {"lstm": 3, "hybrid": 1}
    assert tally.answered == 3


def test_what_was_preloaded_does_not_count_even_if_it_is_read_late() -> None:
    tally = Tally()
    tally.offer("predictions", prediction(A, 5))
    tally.offer("scores", score("1h", 5, True))
    tally.begin(mark_ms=10)
    tally.offer("predictions", prediction(A, 10))
    tally.offer("scores", score("1h", 10, True))
    assert (tally.predictions.total(), tally.scores.total(), tally.answered) == (0, 0, 0)
    tally.offer("predictions", prediction(A, 11))
    tally.offer("scores", score("1h", 11, True))
    assert (tally.predictions.total(), tally.scores.total(), tally.answered) == (1, 1, 1)


def test_coverage_is_the_share_inside_by_horizon() -> None:
    tally = Tally()
    for horizon, inside in (("1h", True), ("1h", False), ("1h", True), ("1d", False)):
        tally.offer("scores", score(horizon, 1, inside))
    assert tally.coverage() == {"1h": 2 / 3, "1d": 0.0}


def test_a_dead_letter_is_never_forgotten() -> None:
    tally = Tally()
    tally.offer("candles.dlq", b"{")
    tally.begin(0)
    tally.offer("candles.dlq", b"{")
    assert tally.dead_letters == 2


def test_of_events_only_finished_trainings_count() -> None:
    tally = Tally()
    for kind in ("model.trained", "model.training_failed", "worker.started", "model.trained"):
        tally.offer("model-events", orjson.dumps({"type": kind}))
    assert tally.trainings == 2


def test_history_is_answered_when_every_series_is() -> None:
    tally = Tally()
    tally.offer("predictions", prediction(A, 7))
    assert tally.has_answered({A: 7})
    assert not tally.has_answered({A: 7, B: 7})
    tally.offer("predictions", prediction(B, 6))
    assert not tally.has_answered({A: 7, B: 7})
    tally.offer("predictions", prediction(B, 8))
    assert tally.has_answered({A: 7, B: 7})
