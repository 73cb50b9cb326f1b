"""The state of a series, its model and its forecasts, in plain words."""

from typing import Final, NamedTuple

from stream_lstm.dashboard.record import Record, Skill
from stream_lstm.dashboard.series_state import SeriesState
from stream_lstm.terminal.figures import moment

DOWN_SECONDS: Final = 15.0
"""A closed candle without an answer for so long: the worker is down, or far behind."""
UNTRAINED: Final = "no trained model yet"
"""The reason that a prediction gives while the first model of a series is made."""
_FEWEST: Final = 100
_FEWEST_APART: Final = 50
_TOLERANCE: Final = 0.05
_LENGTHS: Final = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))


class Word(NamedTuple):
    """A code for the page's style and tests, and what people read."""

    code: str
    text: str
    more: str = ""


def length(milliseconds: float) -> str:
    """A length of time as it is said.

    >>> length(3_600_000), length(90 * 60_000), length(50 * 3_600_000), length(400)
    ('1 hour', '90 minutes', '2 days', '0 seconds')
    """
    for name, unit in _LENGTHS:
        if milliseconds >= 2 * unit or (milliseconds == unit):
            count = int(milliseconds // unit)
            return f"{count} {name}{'s' * (count != 1)}"
    count = int(milliseconds // 1_000)
    return f"{count} second{'s' * (count != 1)}"


def state(series: SeriesState, needed: int, now: float, heard: float, all_stopped: bool) -> Word:
    """How a series stands; `needed` candles come before its first prediction.

    `now` and `heard` are by the store's clock: the latter when any series was last answered.
    """
    if series.paused:
        return Word("paused", "paused", "It learns on and says nothing until it is resumed.")
    waited = 0.0 if series.unanswered_at is None else now - series.unanswered_at
    if all_stopped or (waited > DOWN_SECONDS and series.as_of >= 0):
        return _down(series, min(waited, now - heard), all_stopped)
    if series.as_of < 0 or series.warming is not None:
        return _young(series, needed)
    if series.silent_since is not None:
        said = f"The last candle closed at {moment(series.silent_since)} UTC."
        return Word("quiet", "no candles come", said)
    model = series.model
    if model is None:
        return Word("fresh", "fresh")
    if model.stale:
        return Word("stale", "stale", "The model has expired; it answers until its successor is ready.")
    if model.type == "hybrid":
        return Word("hybrid", "hybrid", f"No training behind it: {model.reason or 'the simple forecaster'}.")
    return Word("fresh", "fresh")


def _down(series: SeriesState, waited: float, all_stopped: bool) -> Word:
    missing = series.unanswered()
    since = f"{missing} candle{'s' * (missing != 1)} closed since the last forecast" if missing else ""
    if not all_stopped and waited < DOWN_SECONDS:
        return Word("behind", "behind", f"{since}; workers are at work.")
    if all_stopped:
        return Word("down", "worker down", f"All workers have stopped. {since}".strip())
    return Word("down", "worker down", f"No answer for {length(1000 * waited)}; {since}.")


def _young(series: SeriesState, needed: int) -> Word:
    if series.split:
        return Word("split", "not forecast", "Its candles are in a partition that does not own it.")
    candles, needed = series.warm(needed)
    if candles >= needed:
        return Word("waiting", "no forecast yet", "It has enough candles, and no worker has answered yet.")
    return Word(
        "warming", f"warming up {candles} of {needed}", "So many closed candles of those it needs to begin."
    )


def model(series: SeriesState) -> list[str]:
    """Who answers, how old, and when the next one is due; in stream time, that of the candles."""
    said = series.model
    if said is None:
        return ["no model yet"]
    if said.trained is None:
        lines = [f"model {said.type}: needs no training"]
    else:
        lines = [f"model {said.type}, trained {length(series.as_of - said.trained)} ago"]
    if series.training is not None:
        lines.append(series.training)
    elif said.expires is not None:
        left = said.expires - series.as_of
        lines.append(f"next training in {length(left)}" if left > 0 else "next training is due now")
    elif said.reason == UNTRAINED:
        lines.append("the first training is under way or queued")
    return lines


def coverage(record: Record | None, steps: int) -> Word:
    """Whether the intervals of a horizon of so many candles have held what they say."""
    if record is None or not record.count:
        return Word("unknown", "none has matured yet")
    share, nominal = record.inside / record.count, record.asked / record.count
    if record.count < _FEWEST:
        return Word("few", "too few")
    if record.count < _FEWEST_APART * steps:
        apart = record.count // steps
        return Word("few", "too few", f"They overlap: {apart or 'none'} of them do not.")
    if share < nominal - _TOLERANCE:
        return Word("low", "too narrow")
    if share > nominal + _TOLERANCE:
        return Word("high", "too wide")
    return Word("held", "holds")


def skill(told: Skill) -> str:
    """Beside the last price, with what chance could make of it."""
    if told.between is None:
        return f"after {told.needed:,} scores"
    value, low, high = (round(100 * part, 2) for part in told.between)
    return f"{_signed(value)}% ({_signed(low)} … {_signed(high)})"


def _signed(percent: float) -> str:
    return f"{percent:+.2f}".replace("-", "−") if percent else "0.00"
