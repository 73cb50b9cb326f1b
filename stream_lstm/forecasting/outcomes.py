"""What has come of predictions: what was said, and what it was worth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_lstm.forecasting.messages import DEMOTED, Outcome
from stream_lstm.forecasting.open_predictions import Said
from stream_lstm.forecasting.scoring import Verdicts

Index = NDArray[np.intp]


class Outcomes(NamedTuple):
    """What has come of n predictions of S rows."""

    which: Index
    """(n,) which of the S rows, ascending."""
    horizon: Index
    """(n,) ascending within a row."""
    said: Said
    verdicts: Verdicts
    own: NDArray[np.bool_]
    """(n,) whether it was said by a model of the type that answers now."""

    def at(self, chosen: Index) -> "Outcomes":
        """Some of them."""
        said, verdicts = self.said, self.verdicts
        return Outcomes(
            self.which[chosen],
            self.horizon[chosen],
            Said._make(part[chosen] for part in said),
            Verdicts._make(part[chosen] for part in verdicts),
            self.own[chosen],
        )

    def told(self) -> list[Outcome]:
        """Each as plain numbers, and of whom it was published."""
        said = self.said
        columns = [column.tolist() for column in (*self.verdicts[:7], said.regime)]
        who = [DEMOTED if demoted else model for demoted, model in zip(said.demoted, said.model, strict=True)]
        return [Outcome(*numbers) for numbers in zip(*columns, who, strict=True)]
