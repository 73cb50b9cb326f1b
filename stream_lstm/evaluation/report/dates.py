"""Times in the report: UTC, from epoch ms."""

from datetime import UTC, datetime


def moment(epoch_ms: float) -> str:
    """To the minute; a candle that closes at 10:59:59.999 closes at 11:00.

    >>> moment(1_728_125_999_999)
    '2024-10-05 11:00'
    """
    return f"{_of(epoch_ms + 500):%Y-%m-%d %H:%M}"


def day(epoch_ms: float) -> str:
    """The day alone."""
    return f"{_of(epoch_ms):%Y-%m-%d}"


def month(epoch_ms: float) -> str:
    """The month where it begins, else the day."""
    return (
        f"{_of(epoch_ms):%Y-%m}"
        if _of(epoch_ms) == _of(epoch_ms).replace(day=1, hour=0, minute=0)
        else day(epoch_ms)
    )


def months(low: float, high: float) -> list[float]:
    """Beginnings of months between two times, about four; where there are not two of them, three times."""
    at, found = _of(low).replace(day=1, hour=0, minute=0, second=0, microsecond=0), []
    while (begin := at.timestamp() * 1000) <= high:
        found += [begin] if begin >= low else []
        at = at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
    if len(found) < 2:
        return [low + part * (high - low) for part in (0.1, 0.5, 0.9)]
    return found[:: -(-len(found) // 4)]


def _of(epoch_ms: float) -> datetime:
    return datetime.fromtimestamp(epoch_ms // 1000, UTC)
