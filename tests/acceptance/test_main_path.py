"""Candles on a real Kafka in, predictions and scores out: a worker process of its own, nothing faked."""

import os
from collections import defaultdict
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from stream_lstm.candles import moments
from stream_lstm.candles.files import CandleFile, read_csv
from stream_lstm.candles.moments import Moment
from stream_lstm.contracts.event import Event
from stream_lstm.contracts.prediction import Prediction
from stream_lstm.contracts.score import Score

pytestmark = pytest.mark.kafka

HOUR = 3_600_000
DAY = 24 * HOUR
HORIZONS = {"1h": 1, "4h": 4, "1d": 24, "7d": 168}
WARM_UP = 100
DATA = os.environ.get("STREAM_LSTM_TEST_DATA")
"""A folder of SYMBOL-1h.csv.gz files; without it the synthetic market takes their place."""


def a_market(series: int, candles: int) -> list[Moment]:
    if not DATA:
        names = moments.symbols(series)
        market = moments.of_market(names, interval="1h", start_ms=1_600_000_000_000 // HOUR * HOUR, seed=5)
        return list(islice(market, candles))
    files = [read_csv(path) for path in sorted(Path(DATA).glob("*-1h.csv.gz"))[:series]]
    cut = [_last_without_gap(file, candles) for file in files]
    return list(moments.of_files(cut, "binance"))


def _last_without_gap(file: CandleFile, candles: int) -> CandleFile:
    """The last stretch of so many candles in a row."""
    for end in range(len(file.open_ms), candles, -candles):
        part = slice(end - candles, end)
        if file.open_ms[part][-1] - file.open_ms[part][0] == (candles - 1) * HOUR:
            return file._replace(open_ms=file.open_ms[part], ohlcv=file.ohlcv[part])
    raise AssertionError(f"{file.symbol}: no {candles} candles in a row")


def bodies(records: list[ConsumerRecord]) -> list[dict[str, Any]]:
    return [orjson.loads(record.value) for record in records]


def by_series_and_horizon(messages: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for message in messages:
        groups[message["symbol"], message["horizon"]].append(message)
    return groups


def closes(market: list[Moment]) -> dict[str, dict[int, float]]:
    """Close price by symbol and close time."""
    known: dict[str, dict[int, float]] = defaultdict(dict)
    for moment in market:
        for candle in moment:
            known[candle.series.symbol][candle.close_ms] = candle.close
    return known


async def run_to_the_end(application: Any, market: list[Moment], **settings: str) -> None:
    """Feed a market to a worker and wait until the last candle of every series is predicted."""
    expected = sum(max(0, len(times) - WARM_UP + 1) for times in closes(market).values()) * len(HORIZONS)
    await application.feed(market)
    application.start_worker(**settings)

    async def all_are_there() -> bool:
        return bool(await application.count("predictions") >= expected)

    await application.until(all_are_there, seconds=300)


def check_predictions(market: list[Moment], predictions: list[dict[str, Any]]) -> None:
    """Each candle from the 100th on has one prediction per horizon, in the order of time."""
    groups = by_series_and_horizon(predictions)
    known = closes(market)
    assert groups.keys() == {(symbol, horizon) for symbol in known for horizon in HORIZONS}
    for (symbol, _), said in groups.items():
        times = sorted(known[symbol])[WARM_UP - 1 :]
        assert [message["asOf"] for message in said] == times
        assert {message["revision"] for message in said} == {0}
        assert [message["lastClose"] for message in said] == [known[symbol][time] for time in times]


def check_scores(
    market: list[Moment], predictions: list[dict[str, Any]], scores: list[dict[str, Any]]
) -> None:
    """Every prediction that has matured is scored once, and a few independent lines get the same numbers."""
    known = closes(market)
    said = {message["id"]: message for message in predictions}
    due = {
        id
        for id, message in said.items()
        if message["asOf"] + HORIZONS[message["horizon"]] * HOUR in known[message["symbol"]]
    }
    assert [score["id"] for score in scores if score["id"] not in due] == []
    assert len(scores) == len(due)
    for score in scores:
        point = said[score["id"]]["predictions"][-1]
        low, high, price = point["lowerBound"], point["upperBound"], point["predictedPrice"]
        actual = known[score["symbol"]][score["target"]]
        alpha = 1 - point["confidence"]
        outside = max(low - actual, actual - high, 0)
        assert score["actualPrice"] == actual
        assert score["predictedPrice"] == pytest.approx(price, rel=1e-12)
        assert score["error"] == pytest.approx(actual - price, rel=1e-9, abs=1e-9)
        assert score["inside"] is (low <= actual <= high)
        assert score["winkler"] == pytest.approx(high - low + 2 / alpha * outside, rel=1e-9)


def check_freshness(predictions: list[dict[str, Any]], expiry_ms: int, jitter: float) -> None:
    """No model answers beyond its life without saying that it is stale."""
    for message in predictions:
        info = message["modelInfo"]
        if info["modelType"] == "lstm" and not info["stale"]:
            assert message["asOf"] - info["lastTrained"] < expiry_ms * (1 + jitter)
        if info["modelType"] == "hybrid":
            assert info["reason"]


async def check_whole_path(application: Any, market: list[Moment], trainings_per_series: int) -> None:
    await run_to_the_end(application, market, training__install="barrier")
    predictions = bodies(await application.read("predictions"))
    scores = bodies(await application.read("scores"))
    events = bodies(await application.read("model-events"))
    check_predictions(market, predictions)
    check_scores(market, predictions, scores)
    check_freshness(predictions, DAY, 0.05)
    trained = defaultdict(list)
    for event in events:
        if event["type"] == "model.trained":
            trained[event["symbol"]].append(event["data"]["trainedAt"])
    assert trained.keys() == closes(market).keys()
    for times in trained.values():
        assert len(times) >= trainings_per_series
        assert all(DAY <= later - earlier <= 1.06 * DAY + HOUR for earlier, later in pairwise(times))
    # With the barrier a model that has expired is replaced before the next candle is answered.
    assert sum(message["modelInfo"]["stale"] for message in predictions) <= len(events) * len(HORIZONS)
    assert await application.count("candles.dlq") == 0


async def test_every_closed_candle_is_predicted_scored_and_answered_by_a_fresh_model(
    application: Any,
) -> None:
    market = a_market(series=3, candles=WARM_UP + 80)
    await check_whole_path(application, market, trainings_per_series=3)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_thirty_days_of_six_series(application: Any) -> None:
    market = a_market(series=6, candles=WARM_UP + 30 * 24)
    await check_whole_path(application, market, trainings_per_series=24)


async def test_all_messages_keep_their_contracts(application: Any) -> None:
    market = a_market(series=1, candles=WARM_UP + 40)
    await run_to_the_end(application, market)
    for record in await application.read("predictions"):
        prediction = Prediction.from_json(record.value)
        headers = dict(record.headers)
        assert record.key == prediction.symbol.encode()
        assert headers["ce_id"].decode() == f"{prediction.id}:{prediction.revision}"
        assert headers["content-type"] == b"application/json"
        assert len(headers["stream-lstm.state"]) == 8
    for record in await application.read("scores"):
        Score.from_json(record.value)

    async def all_kinds_are_there() -> bool:
        kinds = {Event.from_json(record.value).type for record in await application.read("model-events")}
        return {"worker.started", "partition.restored", "series.warming_up", "model.trained"} <= kinds

    await application.until(all_kinds_are_there, seconds=20)
