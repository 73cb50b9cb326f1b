"""Which series of an exchange are meant."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from stream_lstm.candles.series import SeriesKey
from stream_lstm.candles.units import interval_ms
from stream_lstm.errors import BadCandle, SettingsError

_NEAR: Final = 3


class Listing(NamedTuple):
    """A series that an exchange has."""

    symbol: str
    """As ccxt writes it, `BTC/USDT`."""
    series: SeriesKey
    """As it is published."""
    step_ms: int


def listings(
    name: str,
    markets: Mapping[str, Mapping[str, Any]],
    timeframes: Iterable[str],
    symbols: Sequence[str],
    interval: str,
    *,
    unified: bool,
) -> list[Listing]:
    """The series of these symbols, each written as ccxt or as the exchange does.

    With `unified` they are published as ccxt writes them, else as the exchange does. Raises `SettingsError`
    for a symbol or an interval that the exchange has not, with those that come near, and for two symbols
    that would be one series.

    >>> markets = {"BTC/USDT": {"symbol": "BTC/USDT", "id": "BTCUSDT", "spot": True}}
    >>> listings("binance", markets, ["1h"], ["BTCUSDT"], "60m", unified=False)[0].series
    SeriesKey(exchange='binance', symbol='BTCUSDT', interval='1h')
    """
    try:
        interval, step_ms = interval_ms(interval)
    except BadCandle as bad:
        raise SettingsError(str(bad)) from None
    if interval not in (known := list(timeframes)):
        raise SettingsError(f"{name} has no candles of {interval}; it has {', '.join(known)}")
    found: dict[SeriesKey, Listing] = {}
    for symbol in dict.fromkeys(symbols):
        market = _market(name, markets, symbol)
        written = market["symbol"] if unified else market["id"]
        listing = Listing(market["symbol"], SeriesKey(name, written, interval), step_ms)
        other = found.setdefault(listing.series, listing)
        if other.symbol != listing.symbol:
            raise SettingsError(
                f"{name} writes {other.symbol} and {listing.symbol} both {written!r}: set exchange.names = "
                "unified to tell them apart"
            )
    return list(found.values())


def _market(name: str, markets: Mapping[str, Mapping[str, Any]], symbol: str) -> Mapping[str, Any]:
    if symbol in markets:
        return markets[symbol]
    named = [market for market in markets.values() if market["id"].upper() == symbol.upper()]
    # Spot and futures may have one name: whoever means futures writes it as ccxt does.
    if chosen := [market for market in named if market.get("spot")] or named:
        return chosen[0]
    raise SettingsError(_unknown(name, markets, symbol))


def _unknown(name: str, markets: Mapping[str, Mapping[str, Any]], symbol: str) -> str:
    written = {each.upper(): each for each in markets}
    written |= {market["id"].upper(): key for key, market in markets.items() if market.get("spot")}
    near = get_close_matches(symbol.upper(), written, n=2 * _NEAR, cutoff=0.5)
    hint = list(dict.fromkeys(written[each] for each in near))[:_NEAR]
    asked = f"did you mean {', '.join(hint)}?" if hint else f"it has {len(markets)} markets, none like it"
    return f"{name} has no market {symbol!r}: {asked}"
