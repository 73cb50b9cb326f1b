"""The original service's requests, word for word, and whether every field that it answered is there.

The literal bodies are those of the original (versions 1 and 2); its web client sends nothing else.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from stream_lstm.client import Command
from tests.client.scripted import AS_OF, SERIES, Body, by_command, model, prediction, refusal
from tests.gateway.serving import Client, ScriptedAdmin, gateway

PREDICT = {"symbol": "BTCUSDT", "horizon": "1d", "confidence": 0.95}
PREDICTED: Body = {
    "symbol": "BTCUSDT",
    "horizon": "1d",
    "predictions": [
        {
            "timestamp": 1728127056789,
            "predictedPrice": 65432.1,
            "lowerBound": 64000.5,
            "upperBound": 66863.7,
            "confidence": 0.95,
        }
    ],
    "features": {
        "technicalIndicators": {
            "rsi": 54.2,
            "macd": 123.4,
            "ema20": 65000.0,
            "ema50": 64800.0,
            "bbUpper": 66000.0,
            "bbLower": 64000.0,
        },
        "onChainMetrics": {},
        "sentimentScore": 0,
        "marketRegime": "SIDEWAYS",
        "volatility": 0.0007,
        "momentum": 0.001,
    },
    "modelInfo": {
        "version": "1.0.0-lstm",
        "lastTrained": 1728123456789,
        "accuracy": 0.986,
        "confidence": 0.986,
    },
    "generatedAt": 1728123456999,
    "includeSentiment": True,
}
LISTED: Body = {
    "models": [
        {
            "symbol": "BTCUSDT",
            "modelType": "LSTM",
            "version": "1.0.0",
            "trainedAt": 1759684938148,
            "accuracy": 0.986,
            "trainingDuration": 123376,
            "dataPoints": 7262,
            "config": {"hiddenSize": 32, "sequenceLength": 20, "learningRate": 0.001, "epochs": 100},
            "size": 841,
            "lastTrained": 1759684938148,
        }
    ],
    "count": 1,
}
STATS: Body = {
    "symbol": "BTCUSDT",
    "accuracy": 0.986,
    "age": 3600000,
    "modelType": "LSTM",
    "version": "1.0.0",
    "trainedAt": 1759684938148,
    "mae": 1.4,
    "rmse": 1.7,
    "mape": 0.001,
    "r2Score": 0.97,
    "directionalAccuracy": 0.986,
    "trainingDuration": 123376,
    "dataPoints": 7262,
}
DELETED: Body = {"message": "Model for BTCUSDT deleted", "symbol": "BTCUSDT"}
CLEANED: Body = {"message": "Deleted 2 old models", "deletedCount": 2, "maxAgeDays": 30}
REGIME: Body = {
    "currentRegime": "BULL",
    "confidence": 0.8,
    "regimeHistory": [{"timestamp": 1728123456999, "regime": "BULL"}],
    "indicators": {"trend": 0.1, "volatility": 0.1, "volume": 1.0, "momentum": 0.1},
    "nextRegimeProb": {"BULL": 0.8},
}
HEALTH: Body = {"status": "healthy", "service": "ml-service", "timestamp": 1728123457001}
COMPONENTS: Body = {
    "featureEngineering": True,
    "marketRegime": True,
    "pricePrediction": True,
    "lstm": True,
    "modelPersistence": True,
}


def lacking(original: Any, ours: Any, where: str = "") -> list[str]:
    """What the original has and we have not, or not of that type; null stands for what is not measured."""
    if ours is None:
        return []
    if isinstance(original, dict):
        if not isinstance(ours, dict):
            return [f"{where} is no object"]
        gone = [f"{where}.{key} is missing" for key in original.keys() - ours.keys()]
        shared = original.keys() & ours.keys()
        return gone + [text for key in shared for text in lacking(original[key], ours[key], f"{where}.{key}")]
    if isinstance(original, list):
        if not isinstance(ours, list) or not ours:
            return [f"{where} is no list of something"]
        return [text for each in ours for text in lacking(original[0], each, f"{where}[]")]
    number = isinstance(original, int | float) and not isinstance(original, bool)
    kind: Any = (int, float) if number else type(original)
    return [] if isinstance(ours, kind) else [f"{where} is {ours!r}, was {original!r}"]


@pytest.fixture
def admin() -> ScriptedAdmin:
    return ScriptedAdmin()


@pytest.fixture
async def client(admin: ScriptedAdmin) -> AsyncIterator[Client]:
    async with gateway(admin, requests_per_second=10_000) as client:
        yield client


@pytest.mark.parametrize("path", ["/api/ml/predict/lstm", "/api/ml/predict"])
async def test_a_prediction(client: Client, admin: ScriptedAdmin, path: str) -> None:
    data = (await client.post(path, PREDICT)).data
    assert lacking(PREDICTED, data) == []
    assert (data["symbol"], data["horizon"], data["includeSentiment"]) == ("BTCUSDT", "1d", True)
    assert len(data["predictions"]) == 24
    assert data["features"]["onChainMetrics"] == {}
    assert data["features"]["sentimentScore"] == 0
    (asked,) = admin.asked
    assert (asked.command, asked.horizon, asked.confidence) == ("predict", "1d", 0.95)
    assert asked.model_type == (None if path.endswith("lstm") else "hybrid")


async def test_defaults_and_what_is_echoed(client: Client, admin: ScriptedAdmin) -> None:
    body = {"symbol": "BTCUSDT", "horizon": "4h", "includeSentiment": False, "unknown": [1]}
    assert (await client.post("/api/ml/predict/lstm", body)).data["includeSentiment"] is False
    assert admin.asked[0].confidence == 0.95


@pytest.mark.parametrize("horizon", ["1h", "4h", "1d", "7d"])
async def test_all_horizons_of_the_original(client: Client, admin: ScriptedAdmin, horizon: str) -> None:
    told = await client.post("/api/ml/predict/lstm", {"symbol": "BTCUSDT", "horizon": horizon})
    assert told.data["horizon"] == horizon


async def test_too_little_history_is_500_with_the_endpoints_code() -> None:
    unknown = by_command({"predict": refusal("SERIES_NOT_FOUND", "no series X; there are 3 others")})
    async with gateway(ScriptedAdmin(unknown)) as client:
        told = await client.post("/api/ml/predict/lstm", PREDICT)
        assert (told.status, told.code) == (500, "LSTM_PREDICTION_FAILED")
        assert told.message.startswith("No historical data found for BTCUSDT")
        told = await client.post("/api/ml/predict", PREDICT)
        assert (told.status, told.code) == (500, "PREDICTION_FAILED")
    few = by_command({"predict": refusal("LSTM_PREDICTION_FAILED", "63 of 100 candles")})
    async with gateway(ScriptedAdmin(few)) as client:
        told = await client.post("/api/ml/predict/lstm", PREDICT)
        assert (told.status, told.code, told.message) == (500, "LSTM_PREDICTION_FAILED", "63 of 100 candles")


async def test_a_batch_drops_symbols_that_fail_and_says_which(client: Client) -> None:
    def answer(command: Command) -> Body:
        if command.symbol == "BAD":
            return refusal("SERIES_NOT_FOUND")
        return {"data": prediction(command.symbol or "", command.horizon or "")}

    async with gateway(ScriptedAdmin(answer)) as client:
        symbols = ["BTCUSDT", "BAD", "ETHUSDT", "BTCUSDT"]
        data = (await client.post("/api/ml/predict/batch", {"symbols": symbols, "horizon": "1d"})).data
    assert lacking({"predictions": [PREDICTED], "count": 2}, data) == []
    assert [each["symbol"] for each in data["predictions"]] == ["BTCUSDT", "ETHUSDT"]
    assert data["count"] == 2
    assert [(each["symbol"], each["code"]) for each in data["failed"]] == [("BAD", "PREDICTION_FAILED")]


async def test_a_batch_of_nothing_is_400(client: Client) -> None:
    told = await client.post("/api/ml/predict/batch", {"symbols": [], "horizon": "1d"})
    assert (told.status, told.code) == (400, "INVALID_REQUEST")


async def test_a_regime(client: Client, admin: ScriptedAdmin) -> None:
    assert lacking(REGIME, (await client.post("/api/ml/regime", {"symbol": "BTCUSDT"})).data) == []
    assert admin.asked[0].lookback_days == 30
    for wrong in (0, 366, "7", None, 1.5):
        told = await client.post("/api/ml/regime", {"symbol": "BTCUSDT", "lookback": wrong})
        assert (told.status, told.code) == (400, "INVALID_REQUEST"), wrong


async def test_the_list_of_models(client: Client) -> None:
    data = (await client.get("/api/ml/models")).data
    assert lacking(LISTED, data) == []
    assert [(row["symbol"], row["modelType"]) for row in data["models"]] == [
        ("ETHUSDT", "LSTM"),
        ("BTCUSDT", "LSTM"),
    ]
    assert data["count"] == 2


async def test_no_models_are_an_empty_list() -> None:
    none = by_command({"list-models": {"data": {"models": [], "count": 0}}})
    async with gateway(ScriptedAdmin(none)) as client:
        assert (await client.get("/api/ml/models")).data == {"models": [], "count": 0}


async def test_statistics(client: Client) -> None:
    data = (await client.get("/api/ml/models/BTCUSDT/stats")).data
    assert lacking(STATS, data) == []
    assert data["modelType"] == "LSTM"
    assert (data["r2Score"], data["directionalAccuracy"]) == (None, None)  # not measured, not made up


async def test_an_unknown_model_is_400() -> None:
    for code in ("MODEL_NOT_FOUND", "SERIES_NOT_FOUND"):
        answer = by_command({"model-stats": refusal(code, "No model found for BTCUSDT")})
        async with gateway(ScriptedAdmin(answer)) as client:
            told = await client.get("/api/ml/models/BTCUSDT/stats")
        assert (told.status, told.code) == (400, "MODEL_NOT_FOUND")
        assert told.message == "No model found for BTCUSDT"


async def test_deleting_is_done_whether_or_not_there_was_something(client: Client) -> None:
    data = (await client.delete("/api/ml/models/BTCUSDT")).data
    assert lacking(DELETED, data) == []
    assert (data["message"], data["deletedCount"]) == ("Model for BTCUSDT deleted", 1)
    assert data["models"] == [{**SERIES, "modelId": "m-BTCUSDT", "trainedAt": AS_OF}]
    for code in ("MODEL_NOT_FOUND", "SERIES_NOT_FOUND"):
        async with gateway(ScriptedAdmin(by_command({"delete-model": refusal(code)}))) as other:
            data = (await other.delete("/api/ml/models/XYZ")).data
        assert (data["message"], data["symbol"], data["deletedCount"]) == ("Model for XYZ deleted", "XYZ", 0)


@pytest.mark.parametrize("body", [{"maxAgeDays": 30}, {}, None, b""])
async def test_a_clean_up_is_of_thirty_days_unless_told(
    client: Client, admin: ScriptedAdmin, body: Any
) -> None:
    data = (await client.post("/api/ml/models/cleanup", body)).data
    assert lacking(CLEANED, data) == []
    assert (data["maxAgeDays"], data["deletedCount"], data["deleted"]) == (30, 1, 1)
    assert isinstance(data["maxAgeDays"], int)
    assert admin.asked[0].max_age_days == 30


async def test_what_the_web_client_sends_for_a_clean_up_has_an_effect(
    client: Client, admin: ScriptedAdmin
) -> None:
    from time import time

    week_ago = int((time() - 7 * 86_400) * 1000)
    assert (await client.post("/api/ml/models/cleanup", {"olderThan": week_ago})).data["deleted"] == 1
    assert admin.asked[0].max_age_days == pytest.approx(7, abs=0.001)


@pytest.mark.parametrize(
    "body",
    [
        {"maxAgeDays": 0},
        {"maxAgeDays": -1},
        {"maxAgeDays": "7"},
        {"maxAgeDays": "abc"},
        {"maxAgeDays": True},
        {"maxAgeDays": 1e300},
        {"olderThan": 10**15},
        {"olderThan": 1, "maxAgeDays": 1},
        [],
        7,
    ],
)
async def test_a_clean_up_of_nonsense_deletes_nothing(
    client: Client, admin: ScriptedAdmin, body: Any
) -> None:
    told = await client.post("/api/ml/models/cleanup", body)
    assert (told.status, told.code) == (400, "INVALID_REQUEST")
    assert admin.asked == []


async def test_health_is_read_by_clients_of_both_versions(client: Client) -> None:
    told = await client.get("/api/ml/health")
    assert told.status == 200
    assert lacking(HEALTH, told.body) == []
    assert lacking({"success": True, "data": {**HEALTH, "components": COMPONENTS}}, told.body) == [
        ".data.timestamp is missing"  # which only version 1 had, at the top
    ]
    assert (told.body["status"], told.body["service"]) == ("healthy", "ml-service")
    assert told.body["data"]["components"]["kafka"] is True
    assert told.body["data"]["components"]["worker"] is None  # nobody has asked


async def test_health_without_a_broker_is_503() -> None:
    async with gateway(ScriptedAdmin(ill="no broker at x:1")) as client:
        told = await client.get("/api/ml/health")
    assert (told.status, told.body["status"], told.body["success"]) == (503, "unhealthy", False)
    assert told.body["data"]["reason"] == "no broker at x:1"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"symbol": "", "horizon": "1d"},
        {"symbol": "BTCUSDT"},
        {"symbol": "BTCUSDT", "horizon": "2x"},
        {"symbol": "BTCUSDT", "horizon": 1},
        {"symbol": 7, "horizon": "1d"},
        {"symbol": "a\u0000b", "horizon": "1d"},
        {"symbol": "x" * 201, "horizon": "1d"},
        {**PREDICT, "confidence": 1},
        {**PREDICT, "confidence": 0},
        {**PREDICT, "confidence": "0.9"},
        {**PREDICT, "confidence": None},
        {**PREDICT, "includeSentiment": "yes"},
        {**PREDICT, "interval": "one hour"},
        b"{not json",
        b'{"symbol": "BTCUSDT", "horizon": "1d", "confidence": NaN}',
        b'{"symbol": "\\ud800", "horizon": "1d"}',
        b"[" * 10_000,
        b"7" * 10_000,
        b"\xff\xfe",
        b"",
    ],
)
async def test_what_is_no_request_is_400_and_asks_nobody(
    client: Client, admin: ScriptedAdmin, body: Any
) -> None:
    told = await client.post("/api/ml/predict/lstm", body)
    assert (told.status, told.code) == (400, "INVALID_REQUEST")
    assert len(told.message) < 500
    assert admin.asked == []


async def test_a_body_is_json_whatever_its_content_type_says(client: Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        told = await client.post("/api/ml/predict/lstm", PREDICT, content_type=kind)
        assert told.data["symbol"] == "BTCUSDT"


async def test_an_ambiguous_symbol_is_400_with_the_candidates() -> None:
    told = refusal("INVALID_REQUEST", "BTCUSDT is ambiguous: binance 1h, okx 1h")
    async with gateway(ScriptedAdmin(by_command({"predict": told, "delete-model": told}))) as client:
        answer = await client.post("/api/ml/predict/lstm", PREDICT)
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert "okx 1h" in answer.message
        assert (await client.delete("/api/ml/models/BTCUSDT")).status == 400


async def test_a_series_may_be_named_whole(client: Client, admin: ScriptedAdmin) -> None:
    named = {"exchange": "okx", "interval": "1h"}
    await client.post("/api/ml/predict/lstm", PREDICT | named)
    await client.get("/api/ml/models/BTCUSDT/stats?exchange=okx&interval=1h")
    await client.delete("/api/ml/models/BTCUSDT?exchange=okx&interval=1h")
    await client.post("/api/ml/models/cleanup", named | {"symbol": "BTCUSDT", "modelType": "LSTM"})
    assert [(each.symbol, each.exchange, each.interval) for each in admin.asked] == [
        ("BTCUSDT", "okx", "1h")
    ] * 4
    assert admin.asked[-1].model_type == "lstm"


@pytest.mark.parametrize(
    ("encoded", "symbol"),
    [
        ("BTC%2FUSDT", "BTC/USDT"),
        ("BTC-USDT-SWAP", "BTC-USDT-SWAP"),
        ("..%2F..%2Fetc", "../../etc"),
        ("%252e", "%2e"),
        ("caf%C3%A9", "café"),
    ],
)
async def test_a_symbol_in_the_path_is_decoded_once(
    client: Client, admin: ScriptedAdmin, encoded: str, symbol: str
) -> None:
    await client.get(f"/api/ml/models/{encoded}/stats")
    await client.delete(f"/api/ml/models/{encoded}")
    assert [each.symbol for each in admin.asked] == [symbol, symbol]


@pytest.mark.parametrize("encoded", ["a%00b", "x" * 201, "%0A", ""])
async def test_a_path_without_a_proper_symbol_is_400(
    client: Client, admin: ScriptedAdmin, encoded: str
) -> None:
    for told in (
        await client.get(f"/api/ml/models/{encoded}/stats"),
        await client.delete(f"/api/ml/models/{encoded}"),
    ):
        assert (told.status, told.code) == (400, "INVALID_REQUEST")
    assert admin.asked == []


async def test_other_paths_and_methods_are_in_the_envelope_too(client: Client) -> None:
    told = await client.get("/api/ml/nothing")
    assert (told.status, told.code) == (404, "NOT_FOUND")
    told = await client.get("/api/ml/predict/lstm")
    assert (told.status, told.code) == (405, "METHOD_NOT_ALLOWED")
    assert (await client.get("/")).status == 200


async def test_every_origin_may_ask(client: Client) -> None:
    told = await client.post("/api/ml/predict/lstm", PREDICT, origin="http://localhost:3001")
    assert told.headers["access-control-allow-origin"] == "*"
    asking = {"origin": "http://localhost:3001", "access_control_request_method": "DELETE"}
    told = await client.request("OPTIONS", "/api/ml/models/BTCUSDT", None, **asking)
    assert (told.status, told.headers["access-control-allow-origin"]) == (200, "*")
    assert "DELETE" in told.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("LIST_MODELS_FAILED", 500),
        ("OWNER_UNAVAILABLE", 503),
        ("STORE_UNAVAILABLE", 503),
        ("COMMAND_EXPIRED", 503),
        ("UNKNOWN_COMMAND", 503),
    ],
)
async def test_other_codes_keep_their_names(code: str, status: int) -> None:
    async with gateway(ScriptedAdmin(by_command({"list-models": refusal(code, "why")}))) as client:
        told = await client.get("/api/ml/models")
    assert (told.status, told.code, told.message) == (status, code, "why")


async def test_a_reply_that_cannot_be_read_is_500_with_the_endpoints_code() -> None:
    answer = by_command({"list-models": {"data": {"models": [model() | {"size": -1}], "count": 1}}})
    async with gateway(ScriptedAdmin(answer)) as client:
        told = await client.get("/api/ml/models")
    assert (told.status, told.code) == (500, "LIST_MODELS_FAILED")


async def test_what_differs_is_said_in_the_openapi_document(client: Client) -> None:
    document = (await client.get("/openapi.json")).body
    text = document["info"]["description"]
    for word in (
        "maxAgeDays",
        "olderThan",
        "confidence",
        "malformed",
        "symbol",
        "memory",
        "null",
        "503",
        "401",
    ):
        assert word in text or word == "malformed", word
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len(operations) == 12
    assert all("422" not in one["responses"] for one in operations)
    secured = {one["operationId"] for one in operations if one.get("security")}
    assert len(secured) == 5
