"""What a candle is, once decoded: the series it belongs to, an update of it, and its closing."""

from typing import NamedTuple, Self


class SeriesKey(NamedTuple):
    """Identity of a series, always from the body (or pinned by the input), never from a record's key.

    ``exchange`` is lower case, ``symbol`` as the producer writes it, ``interval`` canonical (``1m``,
    ``1h``, ``1d``).
    """

    exchange: str
    symbol: str
    interval: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """The series of that name. Raises `ValueError`.

        >>> SeriesKey.parse("okx:BTC/USDT:USDT:1h")
        SeriesKey(exchange='okx', symbol='BTC/USDT:USDT', interval='1h')
        """
        exchange, _, rest = name.partition(":")
        symbol, _, interval = rest.rpartition(":")
        if not (exchange and symbol and interval):
            raise ValueError(f"{name!r} is no series: exchange:symbol:interval")
        return cls(exchange, symbol, interval)

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}:{self.interval}"


class Update(NamedTuple):
    """One candle as a producer said it, forming or closed. Times in epoch ms, prices in quote units."""

    series: SeriesKey
    step_ms: int
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    closed: bool | None = None
    """The producer's flag; None where it sends none."""
    event_ms: int | None = None
    """The message's own event time; None where it has none."""

    @property
    def close_ms(self) -> int:
        """Last millisecond of the candle."""
        return self.open_ms + self.step_ms - 1


class Closed(NamedTuple):
    """A candle that has closed by the rule of `candles.closing`."""

    series: SeriesKey
    step_ms: int
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def close_ms(self) -> int:
        """Last millisecond of the candle."""
        return self.open_ms + self.step_ms - 1
