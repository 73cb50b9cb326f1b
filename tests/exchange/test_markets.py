import pytest

from stream_lstm.errors import SettingsError
from stream_lstm.exchange.markets import listings

MARKETS = {
    "BTC/USDT": {"symbol": "BTC/USDT", "id": "BTCUSDT", "spot": True},
    "ETH/USDT": {"symbol": "ETH/USDT", "id": "ETHUSDT", "spot": True},
    "BTC/USDT:USDT": {"symbol": "BTC/USDT:USDT", "id": "BTCUSDT", "spot": False},
}


def found(*symbols: str, interval: str = "1h", unified: bool = False) -> list[str]:
    known = ["1m", "1h"]
    return [str(one.series) for one in listings("x", MARKETS, known, symbols, interval, unified=unified)]


def test_a_symbol_is_written_as_ccxt_or_as_the_exchange_does() -> None:
    assert found("BTC/USDT", "btcusdt", "ETHUSDT") == ["x:BTCUSDT:1h", "x:ETHUSDT:1h"]


def test_spot_is_meant_unless_futures_are_named() -> None:
    assert found("BTCUSDT", unified=True) == ["x:BTC/USDT:1h"]
    assert found("BTC/USDT:USDT", unified=True) == ["x:BTC/USDT:USDT:1h"]


def test_two_markets_that_would_be_one_series_are_refused_with_the_way_out() -> None:
    with pytest.raises(SettingsError, match=r"exchange\.names = unified"):
        found("BTC/USDT", "BTC/USDT:USDT")
    assert len(found("BTC/USDT", "BTC/USDT:USDT", unified=True)) == 2


def test_what_is_not_there_is_named_with_what_comes_near() -> None:
    with pytest.raises(SettingsError, match=r"no market 'BTCUSD': did you mean BTC/USDT"):
        found("BTCUSD")
    with pytest.raises(SettingsError, match="it has 3 markets, none like it"):
        found("ZZZZZZZ")
    with pytest.raises(SettingsError, match="no candles of 4h; it has 1m, 1h"):
        found("BTC/USDT", interval="240")
