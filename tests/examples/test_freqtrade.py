"""The freqtrade strategy: in freqtrade's own backtesting, without a network, and live from a real Kafka."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("freqtrade", reason="freqtrade is in the group `freqtrade`: make bots")

from freqtrade.configuration import Configuration
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import StrategyResolver
from pandas import DataFrame, to_datetime

from stream_lstm.candles import moments
from stream_lstm.client import KafkaConnection
from tests.client.scripted import HOUR, Installation, prediction

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    # freqtrade's own.
    *(pytest.mark.filterwarnings(f"default::{each}") for each in ("DeprecationWarning", "FutureWarning")),
]

EXAMPLES = Path(__file__).parents[2] / "examples"
START = 1_700_000_000_000 // HOUR * HOUR
CANDLES = 400
UP, DOWN = {"down": 0.25, "neutral": 0.4, "up": 0.35}, {"down": 0.35, "neutral": 0.4, "up": 0.25}
PAIR = "BTC/USDT"
MARKET = {
    **{"id": "BTCUSDT", "symbol": PAIR, "base": "BTC", "quote": "USDT", "active": True, "spot": True},
    **{"type": "spot", "margin": False, "linear": None, "contractSize": None, "maker": 0.001, "taker": 0.001},
    **{"precision": {"amount": 1e-8, "price": 0.01, "cost": 1e-8}, "info": {}},
    "limits": {"amount": {"min": 1e-8, "max": None}, "cost": {"min": 1, "max": None}, "price": {"min": 0.01}},
}


def frame() -> DataFrame:
    """Hourly candles of the synthetic market, as freqtrade keeps them."""
    series = moments.of_market(["BTCUSDT"], interval="1h", start_ms=START, seed=3)
    rows = [next(series)[0][2:8] for _ in range(CANDLES)]
    candles = DataFrame(rows, columns=["date", "open", "high", "low", "close", "volume"])
    candles["date"] = to_datetime(candles["date"], unit="ms", utc=True)
    return candles


def said(folder: Path) -> Path:
    """Up for ten candles, down for ten, and so on, in a file as `stream-lstm watch --json` writes it."""
    path = folder / "said.jsonl"
    bodies = (
        prediction(as_of=START + (n + 1) * HOUR - 1, horizon="1h", direction=(DOWN if n // 10 % 2 else UP))
        for n in range(CANDLES)
    )
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies))
    return path


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A configuration of freqtrade whose exchange is asked nothing."""

    def know_the_market(exchange: Exchange, *_: object, **__: object) -> None:
        exchange._markets = {PAIR: MARKET}

    monkeypatch.setattr(Exchange, "reload_markets", know_the_market)
    monkeypatch.setattr(Exchange, "validate_timeframes", lambda *_: None)
    for name in ("user_data", "user_data/data", "user_data/backtest_results"):
        (tmp_path / name).mkdir(exist_ok=True)
    given = {
        "stake_currency": "USDT",
        "stake_amount": 100,
        "dry_run": True,
        "max_open_trades": 1,
        "exchange": {"name": "binance", "pair_whitelist": [PAIR]},
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": {"price_side": "same", "use_order_book": False},
        "exit_pricing": {"price_side": "same", "use_order_book": False},
        "strategy": "StreamLstm",
        "user_data_dir": str(tmp_path / "user_data"),
        "datadir": str(tmp_path / "user_data/data"),
        "strategy_path": str(EXAMPLES),
    }
    file = tmp_path / "config.json"
    file.write_text(json.dumps(given))
    options = {"config": [str(file)], "strategy_path": str(EXAMPLES), "strategy": "StreamLstm"}
    options |= {"user_data_dir": str(tmp_path / "user_data"), "datadir": str(tmp_path / "user_data/data")}
    return dict(Configuration(options, RunMode.BACKTEST).get_config()) | {"export": "none", "fee": 0.001}


def test_a_backtest_enters_when_up_is_likelier_and_leaves_when_down_is(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_datahandler(config["datadir"], "feather").ohlcv_store(PAIR, "1h", frame(), CandleType.SPOT)
    monkeypatch.setenv("STREAM_LSTM_SAID", str(said(tmp_path)))
    backtest = Backtesting(config)
    backtest.start()
    backtest.exchange.close()
    backtest.exchange.loop.close()
    trades = backtest.all_bt_content["StreamLstm"]["results"]
    opened = [int(date.timestamp() * 1_000) for date in trades["open_date"]]
    assert len(opened) > 10
    # Said at the close of a candle, entered at the open of the next.
    assert all((each - START) // HOUR % 20 in range(1, 11) for each in opened)
    left = trades[trades["exit_reason"] == "exit_signal"]["close_date"]
    assert len(left) > 5
    assert {(int(date.timestamp() * 1_000) - START) // HOUR % 20 for date in left} <= {11, 12}
    # Twice targetPct, and not the 25% of the strategy's own.
    assert trades["stop_loss_ratio"].between(-0.06, 0.06).all()
    assert set(trades["exit_reason"]) <= {"exit_signal", "trailing_stop_loss", "stop_loss", "force_exit"}


async def test_a_running_bot_sees_what_is_said(
    config: dict[str, Any], kafka: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_LSTM_KAFKA", kafka)
    monkeypatch.setenv("STREAM_LSTM_PREFIX", prefix)
    installation = Installation(KafkaConnection(kafka), prefix)
    await installation.create()
    candles = frame()
    strategy = StrategyResolver.load_strategy(config)
    strategy.bot_start()
    await installation.say(prediction(as_of=START + CANDLES * HOUR - 1, horizon="1h", direction=UP))
    async with asyncio.timeout(60):
        while strategy.said.at(PAIR, START + (CANDLES - 1) * HOUR) is None:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    found = strategy.populate_entry_trend(
        strategy.populate_indicators(candles, {"pair": PAIR}), {"pair": PAIR}
    )
    assert found["enter_long"].sum() == 1
    assert found["enter_long"].iloc[-1] == 1
    assert found["target_pct"].iloc[-1] == 0.0176
    await installation.stop()
