"""How numbers, times and foreign text are written for people."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

UNKNOWN: Final = "–"
"""In the place of what is not known yet."""

_DECIMALS: Final = ((1e5, 0), (1e4, 1), (1e2, 2), (1e1, 3), (1e0, 4), (1e-1, 5), (1e-2, 6), (1e-3, 7))
"""From which size on how many."""
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def price(value: float, like: float | None = None) -> str:
    """A price with as many digits as are worth reading, those of `like` if they are to stand together.

    >>> [price(value) for value in (65500.5, 2431.456, 151.2, 0.52341, 0.0000071234)]
    ['65,500.5', '2,431.46', '151.20', '0.52341', '7.123e-6']
    >>> price(999.5, like=1000.0)
    '999.50'
    """
    size = abs(value if like is None else like)
    if size < 1e-4:
        return f"{value:.3e}".replace("e-0", "e-") if value else "0"
    for least, decimals in _DECIMALS:
        if size >= least:
            return f"{value:,.{decimals}f}"
    return f"{value:.8f}"


def share(value: float) -> str:
    """A fraction as a percentage with three digits.

    >>> share(0.00621), share(0.0312), share(0.123), share(1.5)
    ('0.62%', '3.12%', '12.3%', '150%')
    """
    percent = 100 * value
    decimals = 2 if abs(percent) < 9.995 else 1 if abs(percent) < 99.95 else 0
    return f"{percent:.{decimals}f}%"


def duration(milliseconds: int) -> str:
    """A length of time in its largest unit, and in the next one while that says something.

    >>> duration(0), duration(90_000), duration(3_600_000), duration(104_400_000), duration(20 * 86_400_000)
    ('0s', '1m30s', '1h', '1d5h', '20d')
    """
    for (unit, length), (finer, fraction) in pairwise((*_UNITS, ("", 1_000))):
        if milliseconds >= length:
            count, rest = divmod(milliseconds, length)
            more = rest // fraction if count < 10 else 0
            return f"{count}{unit}{more}{finer}" if more else f"{count}{unit}"
    return "0s"


def count(number: int) -> str:
    """How many, short.

    >>> count(12_345), count(123_456), count(12_345_678)
    ('12,345', '123k', '12.3M')
    """
    if number < 100_000:
        return f"{number:,}"
    return f"{number // 1000}k" if number < 1_000_000 else f"{number / 1e6:.1f}M"


def moment(epoch_ms: int) -> str:
    """A time in UTC, to the minute; a candle that closes at 10:59:59.999 closes at 11:00.

    >>> moment(1_728_125_999_999)
    '2024-10-05 11:00'
    """
    try:
        return f"{datetime.fromtimestamp((epoch_ms + 500) // 1000, UTC):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return f"{epoch_ms} ms"


def plain(text: str) -> str:
    r"""Foreign text without what a terminal would obey.

    >>> print(plain("BTC\x1b[2J"))
    BTC·[2J
    """
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "·" for sign in text)


def readable(raw: bytes) -> str:
    r"""Bytes of anybody as text on one line: what no terminal should get, and no UTF-8, is written in ASCII.

    >>> print(readable(b'{"a":"\x1b[2J\xff\n"}'))
    {"a":"\x1b[2J\xff\n"}
    """
    text = raw.decode(errors="backslashreplace")
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
