"""Many series in a few numbers: one row per model and horizon."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any, Final, NamedTuple

from stream_lstm.evaluation.evidence import Evidence
from stream_lstm.evaluation.metrics import Worth
from stream_lstm.evaluation.significance import Verdict

_SIGNIFICANT: Final = 0.05
_LINEAR: Final = "har"
"""The model that every other one is set beside: what a network adds to it is told."""


class Judged(NamedTuple):
    """The worth of one model's forecasts of one series and horizon."""

    model: str
    symbol: str
    interval: str
    horizon: str
    worth: Worth
    evidence: Evidence

    def row(self) -> dict[str, Any]:
        """As plain numbers."""
        worth, coverage = self.worth, self.worth.coverage
        return {
            "model": self.model,
            "symbol": self.symbol,
            "interval": self.interval,
            "horizon": self.horizon,
            "forecasts": worth.forecasts,
            "answered": worth.answered,
            "rmseRatio": worth.rmse_ratio,
            "maeRatio": worth.mae_ratio,
            "mape": worth.mape,
            "mapeRatio": worth.mape_ratio,
            "skill": worth.skill._asdict(),
            "winklerRatio": worth.winkler_ratio,
            "intervalSkill": worth.interval_skill._asdict(),
            "pinballRatio": worth.pinball_ratio,
            "coverage": coverage.overall,
            "coverageByHour": {str(hour): share for hour, share in coverage.by_hour.items()},
            "coverageByVolatility": list(coverage.by_volatility),
            "worst500": coverage.worst_stretch,
            "width": worth.width,
            "dieboldMariano": worth.better and worth.better._asdict(),
        }


def summarise(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Means over the series, and the worst of them: by model and horizon, in the order of `judged`."""
    groups: dict[tuple[str, str, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.model, one.interval, one.horizon), []).append(one)
    return [
        _summary(*key, members) | {"beyondHar": _beyond(members, groups.get((_LINEAR, *key[1:]), []))}
        for key, members in groups.items()
    ]


def _beyond(members: Sequence[Judged], linear: Sequence[Judged]) -> float | None:
    """Mean difference of Winkler ratios to `har` on the same series; negative is better, None without it."""
    known = {one.symbol: one.worth.winkler_ratio for one in linear}
    both = [one for one in members if one.symbol in known and one.model != _LINEAR]
    return fmean(one.worth.winkler_ratio - known[one.symbol] for one in both) if both else None


def _summary(model: str, interval: str, horizon: str, members: list[Judged]) -> dict[str, Any]:
    worths = [one.worth for one in members]
    worst = max(members, key=lambda one: one.worth.winkler_ratio)
    covered = [worth.coverage.overall for worth in worths]
    stretches = [one for worth in worths if (one := worth.coverage.worst_stretch) is not None]
    return {
        "model": model,
        "interval": interval,
        "horizon": horizon,
        "series": len(members),
        "forecasts": sum(worth.forecasts for worth in worths),
        "winklerRatio": fmean(worth.winkler_ratio for worth in worths),
        "worstWinklerRatio": worst.worth.winkler_ratio,
        "worstSymbol": worst.symbol,
        "intervalSkill": fmean(worth.interval_skill.value for worth in worths),
        "pinballRatio": fmean(worth.pinball_ratio for worth in worths),
        "coverage": fmean(covered),
        "coverageRange": [min(covered), max(covered)],
        "worstHour": min(min(worth.coverage.by_hour.values()) for worth in worths),
        "worstTercile": min(min(worth.coverage.by_volatility) for worth in worths),
        "worst500": min(stretches, default=None),
        "rmseRatio": fmean(worth.rmse_ratio for worth in worths),
        "maeRatio": fmean(worth.mae_ratio for worth in worths),
        "mapeRatio": fmean(worth.mape_ratio for worth in worths),
        "skill": fmean(worth.skill.value for worth in worths),
        "better": sum(is_better(worth.better) for worth in worths),
    }


def is_better(verdict: Verdict | None) -> bool:
    """Whether the first of two forecasters is better by more than chance."""
    return verdict is not None and verdict.statistic < 0 and verdict.p_value < _SIGNIFICANT


def is_worse(verdict: Verdict | None) -> bool:
    """Whether the first of two forecasters is worse by more than chance."""
    return verdict is not None and verdict.statistic > 0 and verdict.p_value < _SIGNIFICANT
