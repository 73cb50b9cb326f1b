"""The state of a series, its model and its forecasts, in plain words."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from stream_lstm.dashboard.record import Record, Skill
from stream_lstm.dashboard.series_state import SeriesState
from stream_lstm.terminal.figures import moment

DOWN_SECONDS: Final = 15.0
"""A closed candle without an answer for so long: the worker is down, or far behind."""
UNTRAINED: Final = "no trained model yet"
"""The reason that a prediction gives while the first model of a series is made."""
_NO_FORECAST: Final = ("warming", "waiting", "split")
_NOT_NOW: Final = ("down", "behind", "quiet", "paused")
_HELD: Final = {
    "held": "Ranges of {} held as often as they say.",
    "high": "Wider than they need be: {}.",
    "low": "Too narrow: {}.",
}
"""What is said of the horizons that coverage judges so, by its code."""
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
    if series.paused_at is not None:
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
    left = needed - candles
    more = f"Forecasts begin after {needed} closed candles; {left} to go: {length(left * series.step_ms)}."
    return Word("warming", f"warming up {candles} of {needed}", more)


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
        return Word("few", "too few", f"They overlap: {apart} of {_FEWEST_APART} needed are apart.")
    if share < nominal - _TOLERANCE:
        return Word("low", "too narrow")
    if share > nominal + _TOLERANCE:
        return Word("high", "too wide")
    return Word("held", "holds")


def trust(said: Word, held: Mapping[str, Word]) -> Word:
    """The answer to "can I trust it?": how the series stands, and how each horizon's intervals have held.

    >>> held = {"1h": Word("held", ""), "4h": Word("low", ""), "1d": Word("few", "")}
    >>> trust(Word("fresh", "fresh"), held).text
    'Yes, for 1h'
    >>> trust(Word("fresh", "fresh"), held).more
    'Ranges of 1h held as often as they say. Too narrow: 4h. Too early to tell: 1d.'
    """
    if said.code in _NO_FORECAST:
        return Word("none", "No forecast yet", said.more)
    if said.code in _NOT_NOW:
        return Word("no", f"Not now: {said.text}", said.more)
    by = {code: _listed(name for name, word in held.items() if word.code == code) for code in _HELD}
    early = _listed(name for name, word in held.items() if word.code not in _HELD)
    sentences = [_HELD[code].format(names) for code, names in by.items() if names]
    if early:
        sentences.append(f"Too early to tell: {early}.")
    good = _listed(name for name, word in held.items() if word.code in ("held", "high"))
    if said.code == "stale":
        answer = Word("care", "With care: stale")
    elif good:
        answer = Word("yes", f"Yes, for {good}")
    elif by["low"]:
        answer = Word("no", "No: its ranges are too narrow")
    else:
        answer = Word("early", "Too early to tell")
        sentences = ["Too few of its forecasts have come due to judge it by."]
    return answer._replace(more=" ".join([said.more, *sentences]).strip())


def _listed(names: Iterable[str]) -> str:
    *all_, last = [*names] or [""]
    return f"{', '.join(all_)} and {last}" if all_ else last


def skill(told: Skill) -> str:
    """The error beside that of the last price, and what chance could make of it."""
    if told.between is None:
        return f"told after {told.needed:,} scores"
    value, low, high = (round(100 * part, 2) for part in told.between)
    if not (value or low or high):
        return "the same"
    between = f"({_signed(low)} … {_signed(high)}%)"
    if low <= 0 <= high:
        return f"about equal {between}"
    return f"{abs(value):.2f}% {'better' if value > 0 else 'worse'} {between}"


def _signed(percent: float) -> str:
    return f"{percent:+.2f}".replace("-", "−") if percent else "0.00"
