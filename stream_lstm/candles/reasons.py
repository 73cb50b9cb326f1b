"""Why a record is no usable candle: the reason codes of dead letters and of the metric's label."""

from typing import Final

NOT_JSON: Final = "not_json"
"""The bytes are not JSON: cut off, not UTF-8, nested too deeply, NaN or another language."""
UNKNOWN_SHAPE: Final = "unknown_shape"
"""JSON, but of no format that is known, or not of the one that the input pins."""
MISSING_FIELD: Final = "missing_field"
"""A field that a candle cannot do without is not there, or null."""
WRONG_TYPE: Final = "wrong_type"
"""A field holds another kind of value than it should: a list as symbol, a number as flag."""
NOT_A_NUMBER: Final = "not_a_number"
"""A price or volume that is no finite number."""
NOT_A_TIME: Final = "not_a_time"
"""A time that is neither a number since the epoch nor RFC 3339 with its offset."""
NOT_POSITIVE: Final = "not_positive"
"""A price of zero or less."""
NEGATIVE_VOLUME: Final = "negative_volume"
"""A volume below zero."""
ABSURD: Final = "absurd"
"""A price or a volume beyond all that is traded: it would spoil the series' arithmetic."""
HIGH_BELOW_LOW: Final = "high_below_low"
"""The high is below the low."""
OUTSIDE_RANGE: Final = "outside_range"
"""The open or the close is not between low and high."""
PHASE_BROKEN: Final = "phase_broken"
"""The open time is not a whole number of intervals from the series' other candles."""
TOO_MANY_SERIES: Final = "too_many_series"
"""The first candle of a series in a partition that has as many as it may have."""
FROM_THE_FUTURE: Final = "from_the_future"
"""The open time is more than an interval after the record's own time."""
INTERVAL_UNKNOWN: Final = "interval_unknown"
"""The interval is none that we know, or a calendar month."""
SYMBOL_TOO_LONG: Final = "symbol_too_long"
"""The symbol has more than 64 characters."""
BAD_NAME: Final = "bad_name"
"""The exchange or the symbol is empty, or has characters that no name has."""
BODY_TOO_LONG: Final = "body_too_long"
"""The record's value is above 1 MiB."""
UNDECODABLE_DECIMAL: Final = "undecodable_decimal"
"""A base64 decimal without the schema that tells its scale."""


def known() -> tuple[str, ...]:
    """All reason codes.

    >>> NOT_JSON in known()
    True
    """
    return tuple(value for name, value in globals().items() if name.isupper())
