import orjson
import pytest

from stream_lstm.terminal.board import Board, Coverage, SeriesName
from tests.terminal.conftest import AS_OF, HOUR, Clock, Offer, event, prediction, score

BTC = SeriesName("BTCUSDT", "1h", "binance")


def test_a_series_shows_what_its_latest_prediction_says(board: Board, offer: Offer) -> None:
    offer("predictions", prediction(horizon="1h"), prediction(horizon="1d", reason="extrapolated"))
    series = board.series[BTC]
    assert (series.as_of, series.last_close, series.model, series.stale) == (AS_OF, 65500.5, "lstm", False)
    assert (series.model_age_ms, series.retrain_in_ms) == (7 * HOUR, 17 * HOUR)
    day = series.outlooks["1d"]
    assert (day.lower, day.price, day.upper) == (0.99 * 65500.5, 65500.5, 1.01 * 65500.5)
    assert (day.confidence, day.reason) == (0.9, "extrapolated")


def test_a_series_without_a_trained_model_has_neither_age_nor_retrain(board: Board, offer: Offer) -> None:
    why = "no trained model yet"
    offer("predictions", prediction(modelType="hybrid", lastTrained=None, expiresAt=None, reason=why))
    series = board.series[BTC]
    assert (series.model_age_ms, series.retrain_in_ms, series.outlooks["1h"].reason) == (None, None, why)


def test_an_overdue_retrain_is_negative(board: Board, offer: Offer) -> None:
    offer("predictions", prediction(expiresAt=AS_OF - HOUR, stale=True))
    assert board.series[BTC].retrain_in_ms == -HOUR
    assert board.series[BTC].stale


def test_a_candle_counts_once_whatever_its_horizons_and_repeats(board: Board, offer: Offer) -> None:
    said = [prediction(horizon=horizon) for horizon in ("1h", "4h", "1d")]
    offer("predictions", *said, *said)
    assert (board.candles, board.predictions) == (1, {"lstm": 3})


def test_an_older_prediction_changes_nothing(board: Board, offer: Offer) -> None:
    newer = prediction(as_of=AS_OF + HOUR, lastClose=66000.0)
    offer("predictions", newer, prediction(lastClose=65000.0))
    assert board.series[BTC].last_close == 66000.0
    assert board.predictions.total() == 1


def test_a_higher_revision_replaces_and_is_no_new_candle(board: Board, offer: Offer) -> None:
    offer("predictions", prediction(), prediction(revision=1, lastClose=65400.0))
    assert board.series[BTC].last_close == 65400.0
    assert (board.candles, board.predictions.total()) == (1, 2)


def test_series_are_kept_in_the_order_of_their_symbols(board: Board, offer: Offer) -> None:
    offer("predictions", prediction("SOL"), prediction("BTC"), prediction("BTC", exchange="okx"))
    assert [(name.symbol, name.exchange) for name in board.names] == [
        ("BTC", "binance"),
        ("BTC", "okx"),
        ("SOL", "binance"),
    ]


def test_horizons_are_ordered_by_their_length(board: Board, offer: Offer) -> None:
    offer("predictions", *(prediction(horizon=horizon) for horizon in ("7d", "1d", "4h", "1h")))
    assert board.horizons == ["1h", "4h", "1d", "7d"]


def test_coverage_is_counted_per_horizon_over_all_series(board: Board, offer: Offer) -> None:
    offer("scores", score(), score(symbol="ETHUSDT"), score(as_of=AS_OF + HOUR, inside=False))
    offer("scores", score("1d", inside=False))
    hour, day = board.coverage["1h"], board.coverage["1d"]
    assert (hour.count, hour.inside, hour.share) == (3, 2, 2 / 3)
    assert (day.count, day.share) == (1, 0.0)
    assert hour.nominal == pytest.approx(0.9)
    assert board.scores == 4


def test_a_repeated_score_counts_once(board: Board, offer: Offer) -> None:
    offer("scores", score(), score(as_of=AS_OF + HOUR), score(), score(as_of=AS_OF + HOUR))
    assert board.coverage["1h"].count == 2


def test_trainings_and_failures_count_once_per_event(board: Board, offer: Offer) -> None:
    trained = event("model.trained", {"modelId": "m", "path": "p"}, id="a")
    failed = event("model.training_failed", {"error": "no"}, id="b")
    offer("model-events", trained, failed, trained)
    assert (board.trainings, board.failed_trainings) == (1, 1)
    assert [one.type for one in board.log] == ["model.trained", "model.training_failed"]


def test_dead_letters_are_counted_by_reason_and_a_repeat_once(board: Board) -> None:
    def letter(offset: int, reason: bytes) -> list[tuple[str, bytes]]:
        place = [("__connect.errors.topic", b"candles"), ("__connect.errors.partition", b"0")]
        return [*place, ("__connect.errors.offset", b"%d" % offset), ("stream-lstm.reason", reason)]

    for offset, reason in ((7, b"not_json"), (9, b"not_json"), (7, b"not_json"), (12, b"high_below_low")):
        board.offer("candles.dlq", None, letter(offset, reason))
    assert board.dead_letters == {"not_json": 2, "high_below_low": 1}


@pytest.mark.parametrize("topic", ["predictions", "scores", "model-events"])
@pytest.mark.parametrize(
    "value",
    [None, b"", b"\xff", b"{", b"null", b"[]", b"7", b'"text"', b"{}", b'{"id":1,"type":[],"at":"x"}'],
)
def test_what_cannot_be_read_is_counted_and_changes_nothing(board: Board, topic: str, value: bytes) -> None:
    board.offer(topic, value)
    assert board.unreadable == 1
    assert (board.series, board.coverage, len(board.log)) == ({}, {}, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": 7},
        {"symbol": ["A"]},
        {"interval": "an hour"},
        {"horizon": "soon"},
        {"asOf": "1"},
        {"asOf": 1.5},
        {"lastClose": None},
        {"predictions": []},
        {"predictions": [{"predictedPrice": "dear"}]},
        {"modelInfo": {"modelType": "lstm"}},
        {"modelInfo": {"modelType": "lstm", "lastTrained": "x", "expiresAt": None, "stale": False}},
    ],
)
def test_a_prediction_with_one_wrong_field_is_counted_and_changes_nothing(
    board: Board, change: dict[str, object]
) -> None:
    board.offer("predictions", orjson.dumps(prediction() | change))
    assert (board.unreadable, board.series, board.names, board.candles) == (1, {}, [], 0)


def test_other_topics_are_ignored(board: Board) -> None:
    board.offer("candles", b"?")
    assert board.unreadable == 0


def test_candles_per_second_are_those_of_the_last_seconds(board: Board, offer: Offer, clock: Clock) -> None:
    for candle in range(40):
        clock.now += 0.25
        offer("predictions", prediction(as_of=AS_OF + candle * HOUR))
    assert board.candles_per_second() == pytest.approx(4.0)
    clock.now += 60
    assert board.candles_per_second() == 0.0


def test_silence_is_told_from_the_last_message(board: Board, offer: Offer, clock: Clock) -> None:
    offer("scores", score())
    clock.now += 12
    assert board.silence_seconds() == 12


def test_a_coverage_knows_its_share_and_what_was_asked() -> None:
    coverage = Coverage(count=4, inside=3, asked=3.6)
    assert (coverage.share, coverage.nominal) == (0.75, 0.9)
