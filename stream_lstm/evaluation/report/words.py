"""The verdict in plain words. Text, not yet HTML."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from stream_lstm.evaluation.report.horizon import Ahead
from stream_lstm.evaluation.summary import is_better, is_worse

_NOTHING: Final = 5e-4
"""A difference of skill below this is not worth a word."""
_BRACKETS: Final = " (series by more than chance)"


def intervals(ahead: Ahead) -> tuple[str, str]:
    """What the intervals of one horizon are worth: the sentence, and what stands behind it."""
    worths, skill = [one.worth for one in ahead.judged.values()], ahead.skill
    head = f"{ahead.name} intervals are {_compared(skill)} the unit"
    better, worse = (sum(says(worth.better) for worth in worths) for says in (is_better, is_worse))
    shares = [worth.coverage.overall for worth in worths]
    stretches = [share for worth in worths if (share := worth.coverage.worst_stretch) is not None]
    held = f"{fmean(shares):.1%} of outcomes were inside ({min(shares):.1%} … {max(shares):.1%} by series)"
    worst = f", {min(stretches):.0%} in the worst 500 forecasts in a row" if stretches else ""
    return head, f"{_counted(better, worse, len(worths))} by more than chance; {held}{worst}."


def beside(model: str, aheads: Sequence[Ahead]) -> tuple[str, str] | None:
    """How another model of the walk compares; None where they share no series."""
    said = [text for ahead in aheads if (text := _duel(ahead, model)) is not None]
    return (f"Against {model}", f"points of skill{_BRACKETS}: {', '.join(said)}.") if said else None


def _duel(ahead: Ahead, model: str) -> str | None:
    duels = ahead.duels(model)
    if not duels:
        return None
    gain = fmean(gain for gain, _ in duels)
    better, worse = (sum(says(verdict) for _, verdict in duels) for says in (is_better, is_worse))
    return f"{signed(gain)} at {ahead.name} ({_counted(better, worse, len(duels))})"


def point(aheads: Sequence[Ahead]) -> tuple[str, str]:
    """What the predicted price is worth."""
    spans = {ahead.name: [one.worth.skill for one in ahead.judged.values()] for ahead in aheads}
    better = [name for name, each in spans.items() if 2 * sum(one.low > 0 for one in each) > len(each)]
    worse = [name for name, each in spans.items() if 2 * sum(one.high < 0 for one in each) > len(each)]
    head = "The point forecast is no better than the last price"
    if better:
        head = f"The point forecast is better than the last price at {', '.join(better)}"
    elif worse:
        head = f"The point forecast is worse than the last price at {', '.join(worse)}"
    said = [
        f"{fmean(one.worth.rmse_ratio for one in ahead.judged.values()):.4f} at {ahead.name} "
        f"({_counted(sum(one.low > 0 for one in each), sum(one.high < 0 for one in each), len(each))})"
        for ahead, each in zip(aheads, spans.values(), strict=True)
    ]
    return (
        head,
        f"RMSE over that of the last price{_BRACKETS}: {', '.join(said)}.",
    )


def overlap(aheads: Sequence[Ahead]) -> str:
    """How little the many forecasts of the longest horizon are."""
    longest = max(aheads, key=lambda ahead: ahead.steps * ahead.step_ms)
    return (
        f"Forecasts overlap: of {longest.forecasts:,} at {longest.name} of one series "
        f"{longest.independent:,} do not. What stands there rests on so many outcomes."
    )


def signed(share: float) -> str:
    """A difference in points.

    >>> signed(0.0016), signed(-0.0004), signed(-0.00001)
    ('+0.16', '−0.04', '0.00')
    """
    text = f"{100 * share:+.2f}".replace("-", "−")
    return "0.00" if text in {"+0.00", "−0.00"} else text


def _compared(skill: float) -> str:
    if abs(skill) < _NOTHING:
        return "as good as"
    return f"{abs(skill):.1%} {'better' if skill > 0 else 'worse'} than"


def _counted(better: int, worse: int, of: int) -> str:
    return f"{better} of {of} better" + (f", {worse} worse" if worse else "")
