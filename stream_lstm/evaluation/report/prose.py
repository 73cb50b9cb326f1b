"""What the report says of its pictures and terms, as HTML. Nothing in it depends on a result."""

from typing import Final

from stream_lstm.evaluation.coverage import STRETCH

_SURE: Final = "where 95 of 100 true forecasters would be"
SKILL: Final = """One less the Winkler ratio to the unit; a bar is where nine of ten block resamplings put
it. Models rise and fall together, so whether one beats another is not seen from their bars: the verdict
tells it. Scales differ."""
RELIABILITY: Final = f"""Share of outcomes inside the intervals of 10 to 90% (●) and the one asked for (■)
over what they were to hold, and below it the same less what was asked, in points. Dashed: they hold it.
Points are means over series, bars go from the worst to the best of them. Shaded: {_SURE} with as many
forecasts as do not overlap."""
OVER_TIME: Final = f"""Share of outcomes inside, of {STRETCH} forecasts in a row: thin lines are series, the
thick one is their mean. Shaded: {_SURE} with one series, by the binomial distribution of {STRETCH} divided
by the candles of the horizon, since forecasts that overlap share their outcome. One stretch in twenty is
outside by chance. Scales differ."""
PIT: Final = f"""Where in its forecast's distribution each outcome fell, in twentieths: flat (dashed) is
calibrated, a hump too wide, a bowl too narrow, a slope off to one side. Bars are means over series,
whiskers the span of them. Shaded: {_SURE} with one series."""
HOURS: Final = f"""Share of outcomes inside by the hour, UTC, in which the first candle opens. Points are
means over series, bars the span of them. Shaded: {_SURE} with one series; of 24 hours one is outside by
chance."""
WORST: Final = """Cost is the interval score, the width plus 2/(1 − confidence) times what the outcome
missed it by, over the mean score of the unit for that series and horizon: 1 is an ordinary forecast of the
unit. Where the unit cost as much, nobody saw it coming."""
TERMS: Final = """Walk forward: every model was trained on candles up to its moment alone, and every
interval calibrated on forecasts whose time had come. <b>Winkler</b>: mean interval score over that of the
unit, EWMA(0.94) volatility times the rolling quantile of its own last 500 errors, which anybody has without
a model; below 1 is better, <b>skill</b> is one less it. <b>Beyond har</b>: Winkler less that of the linear
model har. <b>Pinball</b>: mean loss of the quantiles at 5, 10, … 95%, over the unit's. <b>RMSE</b>,
<b>MAE</b>, <b>MAPE ratio</b>: over those of the last price. <b>Better</b>: series whose intervals beat the
unit's by more than chance (Diebold–Mariano, 5%)."""
UNIT: Final = """The unit is an interval that anybody has without a model: EWMA(0.94) volatility times the
rolling quantile of its own last 500 errors. Better is a lower interval score (Winkler)."""
NONE: Final = "No forecast could be judged: a series needs 50 of one horizon whose time has come."
PROMISES: Final = (
    """It is an average over months and all hours: no promise for a given day, and least of all for the days
on which it matters (coverage over time and the worst forecasts, below).""",
    "An interval says how far, not whereto, and nothing of how far beyond it the rest falls.",
    "A score is no profit: there are no fees, no spread and no slippage in it.",
    "Whoever chose series and span after looking at results has made them better than they are.",
)


def paragraph(text: str) -> str:
    """Beside what it explains."""
    return f'<p class="soft">{text}</p>'
