"""One experiment on one series: what it was started with, how far it is, and when it is decided."""

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from stream_lstm.forecasting.betting import Floats
from stream_lstm.forecasting.loss_tally import Told
from stream_lstm.forecasting.outputs import Body

Outcome = Literal["promoted", "rejected", "undecided", "failed"]

ALPHA: Final = 0.05
MAX_OUTCOMES: Final = 2_000
"""Outcomes of the shortest horizon, one after the other, after which an experiment ends undecided."""
PATIENCE: Final = 200
"""Candles after which a challenger that has no model will get none."""


class Plan(NamedTuple):
    """What an experiment is started with."""

    id: str
    challenger: str
    """Its model type."""
    alpha: float
    """How likely a challenger that is not better is promoted, at most."""
    max_candles: int
    """Answered candles after which it ends undecided."""
    share: float | None = None
    """Of the series that it was started for; None for one that was named."""

    @classmethod
    def of(cls, body: Body) -> "Plan":
        """As a fact or a checkpoint says it."""
        share = body.get("share")
        return cls(
            str(body["experimentId"]),
            str(body["challenger"]),
            float(body["alpha"]),
            int(body["maxCandles"]),
            None if share is None else float(share),
        )

    def told(self) -> Body:
        """For a fact or a checkpoint."""
        return {
            "experimentId": self.id,
            "challenger": self.challenger,
            "alpha": self.alpha,
            "maxCandles": self.max_candles,
            "share": self.share,
        }


@dataclass(slots=True)
class Trial:
    """An experiment that runs on a series."""

    plan: Plan
    champion: str
    """Model type that answers."""
    since_ms: int
    """Close of the newest candle when it was started."""
    slot: int
    """Its row in the columns of the challengers."""
    candles: int = 0
    """Answered since."""
    requested: bool = False
    """Whether a model for the challenger is on its way."""

    def outcome(self, evidence: Floats, *, pairs: int, has_model: bool) -> Outcome | None:
        """The verdict at a candle; None to go on.

        `evidence` (K, 2) is the capital of those who bet on the challenger, and against it: the shortest
        horizon decides, and a longer one may forbid a promotion. `pairs` have matured at the shortest.
        """
        enough = 1.0 / self.plan.alpha
        better, worse = evidence[0].tolist()
        if worse >= enough:
            return "rejected"
        if better >= enough and has_model:
            return "rejected" if (evidence[1:, 1] >= enough).any() else "promoted"
        if self.candles >= self.plan.max_candles:
            return "undecided" if pairs else "failed"
        if not has_model and self.candles >= PATIENCE:
            return "failed"
        return None

    def described(self) -> dict[str, Any]:
        """For a checkpoint; a training that is on its way is asked for again."""
        plain = {"champion": self.champion, "since": self.since_ms, "candles": self.candles}
        return self.plan.told() | plain


def told_of_horizon(name: str, evidence: Floats, told: Told | None) -> Body:
    """The figures of one horizon; `evidence` (2,)."""
    better, worse = evidence.tolist()
    figures: Body = {"horizon": name, "eBetter": better, "eWorse": worse, "outcomes": 0}
    if told is None:
        return figures
    (champion, challenger), (covered, its_covered) = told.loss, told.coverage
    return figures | {
        "outcomes": told.outcomes,
        "winkler": champion,
        "challengerWinkler": challenger,
        "difference": champion - challenger,
        "coverage": covered,
        "challengerCoverage": its_covered,
        "dieboldMariano": None
        if told.test is None
        else {"statistic": told.test.statistic, "pValue": told.test.p_value},
    }
