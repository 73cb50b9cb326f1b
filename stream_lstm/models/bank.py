"""Every live model at once, grouped by type, number of heads and shape.

A forecast does not depend, bit for bit, on which other rows are asked for in the same call.
"""

import heapq
from collections.abc import Callable
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from stream_lstm.models import hybrid
from stream_lstm.models.hyperparameters import Hyperparameters
from stream_lstm.models.live import LiveModels, ModelType
from stream_lstm.models.market_view import BankForecast, Index, MarketView
from stream_lstm.models.model import Model
from stream_lstm.models.registry import model_type

__all__ = ["Bank", "BankForecast", "MarketView"]

_NOBODY = -1
_FIRST_SLOTS = 16


class _Group:
    """The live models of one type and shape, and which of its slots are free."""

    def __init__(self, live: LiveModels) -> None:
        self.live = live
        self._size = 0
        self._free: list[int] = []

    def take(self) -> int:
        """The lowest free slot, so that rows installed in order lie side by side."""
        if not self._free:
            size = max(_FIRST_SLOTS, 2 * self._size)
            self.live.grow(size)
            self._free = list(range(self._size, size))
            self._size = size
        return heapq.heappop(self._free)

    def give_back(self, slot: int) -> None:
        """Free a slot; what was in it is overwritten by the next `put`."""
        heapq.heappush(self._free, slot)


class Bank:
    """Models by row. A row without one is answered by `hybrid`."""

    def __init__(self, types: Callable[[str], ModelType] = model_type) -> None:
        """`types` finds the type of a model by its name."""
        self._types = types
        self._groups: list[_Group] = []
        self._numbers: dict[tuple[str, int, tuple[tuple[int, ...], ...]], int] = {}
        self._models: dict[int, Model] = {}
        self._group_of: NDArray[np.intp] = np.full(0, _NOBODY)
        self._slot_of: NDArray[np.intp] = np.zeros(0, np.intp)

    def install(self, row: int, model: Model) -> None:
        """Let `model` answer for `row` from the next call on, in place of the one before."""
        self.remove(row)
        if row >= len(self._group_of):
            more = max(_FIRST_SLOTS, 2 * row) - len(self._group_of)
            self._group_of = np.concatenate([self._group_of, np.full(more, _NOBODY)])
            self._slot_of = np.concatenate([self._slot_of, np.zeros(more, np.intp)])
        number = self._number(model)
        slot = self._groups[number].take()
        self._groups[number].live.put(slot, model)
        self._group_of[row], self._slot_of[row] = number, slot
        self._models[row] = model.without_warm_scores()

    def remove(self, row: int) -> None:
        """Take the model of a row away, if it has one."""
        if self._models.pop(row, None) is not None:
            self._groups[self._group_of[row]].give_back(int(self._slot_of[row]))
            self._group_of[row] = _NOBODY

    def model(self, row: int) -> Model | None:
        """The model that answers for a row, without its warm scores; None if `hybrid` does."""
        return self._models.get(row)

    def own_of(self, model: Model) -> Hyperparameters:
        """The hyper-parameters that models of its type read, with the type's own values."""
        return self._types(model.model_type).own

    def forecast(self, rows: Index, view: MarketView) -> BankForecast:
        """Answer for S distinct rows whose market is `view`, aligned with them."""
        groups = self._groups_of(rows)
        present = np.unique(groups)
        if len(present) == 1:
            return self._answer(int(present[0]), rows, view)
        horizons = view.steps.shape
        whole = BankForecast.around_last_close(np.zeros(horizons), np.zeros(len(rows), np.int64))
        for number in present.tolist():
            at = np.flatnonzero(groups == number)
            part = self._answer(number, rows[at], view.take(at))
            for field in fields(BankForecast):
                getattr(whole, field.name)[at] = getattr(part, field.name)
        return whole

    def _answer(self, number: int, rows: Index, view: MarketView) -> BankForecast:
        if number == _NOBODY:
            return hybrid.forecast(view)
        return self._groups[number].live.forecast(self._slot_of[rows], view)

    def _groups_of(self, rows: Index) -> NDArray[np.intp]:
        known = rows < len(self._group_of)
        groups: NDArray[np.intp] = np.full(len(rows), _NOBODY)
        groups[known] = self._group_of[rows[known]]
        return groups

    def _number(self, model: Model) -> int:
        key = (model.model_type, len(model.heads), model.shapes)
        if key not in self._numbers:
            self._numbers[key] = len(self._groups)
            self._groups.append(_Group(self._types(model.model_type).live(model)))
        return self._numbers[key]
