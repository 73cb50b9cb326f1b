from typing import Any

import pytest

from stream_lstm.contracts.event import DATA, Event
from stream_lstm.terminal.sentences import sentence
from tests.terminal.conftest import AS_OF, HOUR, event

PLACE = {"topic": "candles", "partition": 3, "offset": 12345}
PLAN = {"experimentId": "c81f02d4", "challenger": "har", "alpha": 0.05, "maxCandles": 2000}
HORIZON = {"horizon": "1h", "eBetter": 20.41, "eWorse": 0.03, "outcomes": 1_411}
SAID = [
    (
        "model.trained",
        {"modelId": "m", "path": "p", "modelType": "lstm", "dataPoints": 1440, "trainingDuration": 231},
        "BTCUSDT 1h: trained lstm on 1,440 candles in 0.23 s",
    ),
    ("model.trained", {"modelId": "m", "path": "p"}, "BTCUSDT 1h: trained a model"),
    (
        "model.trained",
        {"modelId": "m", "path": "p", "modelType": "har", "role": "challenger"},
        "BTCUSDT 1h: trained har as a challenger",
    ),
    ("experiment.started", PLAN, "BTCUSDT 1h: experiment c81f02d4: har is tried, alpha 0.05"),
    (
        "experiment.result",
        {**PLAN, "outcome": "promoted", "candles": 1_412, "horizons": [HORIZON]},
        "BTCUSDT 1h: experiment c81f02d4: har promoted after 1,412 candles, evidence 20.4 better, "
        "0.03 worse at 1h",
    ),
    (
        "experiment.stopped",
        {**PLAN, "candles": 3},
        "BTCUSDT 1h: experiment c81f02d4: har stopped after 3 candles",
    ),
    (
        "experiments.told",
        {"commandId": "c", "experiments": []},
        "BTCUSDT 1h: a worker has 0 experiments, running or ended",
    ),
    (
        "model.training_failed",
        {"error": "loss is not finite", "retryInSeconds": 60},
        "BTCUSDT 1h: training failed: loss is not finite; next attempt in 60 s",
    ),
    (
        "model.expired",
        {"expiresAt": AS_OF},
        "BTCUSDT 1h: model expired at 2024-10-05 11:00, answers as stale",
    ),
    (
        "model.quarantined",
        {"path": "bad/m", "reason": "checksum"},
        "BTCUSDT 1h: a damaged model was not loaded: checksum (kept as bad/m)",
    ),
    ("series.warming_up", {"candles": 63, "needed": 100}, "BTCUSDT 1h: warming up, 63 of 100 candles"),
    (
        "series.gap",
        {"missing": 12, "filled": False, "from": AS_OF + 1, "to": AS_OF + 12 * HOUR},
        "BTCUSDT 1h: 12 candles missing, the series begins anew, 2024-10-05 11:00 to 2024-10-05 23:00",
    ),
    ("series.gap", {"missing": 1, "filled": True}, "BTCUSDT 1h: 1 candle missing, filled flat"),
    (
        "series.gap",
        {"missing": None, "reason": "phase changed"},
        "BTCUSDT 1h: candles missing, the series begins anew (phase changed)",
    ),
    (
        "series.stale",
        {"lastClose": AS_OF, "intervals": 4},
        "BTCUSDT 1h: no candle since 2024-10-05 11:00, 4 intervals ago",
    ),
    (
        "model.deleted",
        {"modelId": "4f2a"},
        "BTCUSDT 1h: model 4f2a deleted, the next candle makes a new one due",
    ),
    ("model.retrain_requested", {"commandId": "c"}, "BTCUSDT 1h: a training was asked for"),
    ("series.paused", {}, "BTCUSDT 1h: paused: learns on and says nothing"),
    ("series.resumed", {}, "BTCUSDT 1h: resumed"),
    (
        "series.split",
        {"topic": "candles", "partition": 2, "ownerTopic": "candles", "ownerPartition": 0},
        "BTCUSDT 1h: candles in candles-2 are not used, it belongs to candles-0",
    ),
    (
        "drift.detected",
        {
            **{"detector": "adwin", "horizon": "1h", "direction": "wider", "statistic": 0.2},
            **{"threshold": 0.1, "since": AS_OF, "retrain": True},
        },
        "BTCUSDT 1h: errors at 1h are wider since 2024-10-05 11:00 (adwin), a training is due",
    ),
    (
        "model.demoted",
        {"modelId": "4f2a", "horizon": "1h", "winklerRatio": 1.314, "outcomes": 402.5},
        "BTCUSDT 1h: 31% worse than the naive forecast at 1h, which answers until further notice",
    ),
    (
        "model.restored",
        {"modelId": "4f2a", "horizon": "1h", "winklerRatio": 0.96, "outcomes": 100.4},
        "BTCUSDT 1h: no worse than the naive forecast over 100 outcomes: model 4f2a answers again",
    ),
    ("market.closed", {"until": "b"}, 'BTCUSDT 1h: market.closed {"until":"b"}'),
]
OF_NO_SERIES = [
    ("partition.restored", PLACE | {"seconds": 3.2}, "candles-3 restored, live from offset 12,345 after 3s"),
    (
        "partition.rebuilt",
        PLACE | {"reason": "no checkpoint"},
        "candles-3 rebuilt, live from offset 12,345: no checkpoint",
    ),
    ("partition.full", PLACE | {"series": 10_000}, "candles-3 has 10,000 series and takes no more"),
    (
        "topic.resized",
        {"topic": "candles", "partition": 3, "before": 3, "partitions": 6},
        "candles had 3 partitions and has 6: keys have moved, and their series begin anew in the middle",
    ),
    (
        "models.cleaned_up",
        {"deletedCount": 1, "maxAgeDays": 30},
        "1 model older than 30 days deleted",
    ),
    ("command.reply", {"count": 3}, "a command was answered"),
    ("command.rejected", {}, "a command was rejected"),
    ("worker.started", {"version": "0.1.0"}, "worker w1: started, version 0.1.0"),
    ("worker.stopped", {"reason": "told to stop"}, "worker w1: stopped: told to stop"),
]


@pytest.mark.parametrize(("type", "data", "expected"), SAID)
def test_what_happens_to_a_series_is_a_sentence_with_its_name(
    type: str, data: dict[str, Any], expected: str
) -> None:
    assert sentence(Event.model_validate(event(type, data))) == expected


@pytest.mark.parametrize(("type", "data", "expected"), OF_NO_SERIES)
def test_what_happens_to_a_worker_or_partition_is_a_sentence(
    type: str, data: dict[str, Any], expected: str
) -> None:
    assert sentence(Event.model_validate(event(type, data, symbol=None, workerId="w1"))) == expected


def test_every_type_of_the_contract_has_its_sentence() -> None:
    assert set(DATA) <= {type for type, _, _ in SAID + OF_NO_SERIES}
