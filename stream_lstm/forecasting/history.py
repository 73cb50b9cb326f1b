"""The closed candles of one series: columns in blocks, each with the feature state before it.

Blocks make three things cheap: forgetting (the oldest is dropped whole), a training set that begins
where a feature state is known, and a checkpoint that never rewrites a full block.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 512
"""Candles per block: 12 KB."""


@dataclass(slots=True)
class Block:
    """Up to `BLOCK` candles in order."""

    state: NDArray[np.float64]
    """(width,) feature state before the block's first candle."""
    candles: NDArray[np.float32] = field(default_factory=lambda: np.empty((BLOCK, 5), np.float32))
    """(BLOCK, 5) open, high, low, close as ratios to the reference price; volume."""
    steps: NDArray[np.int32] = field(default_factory=lambda: np.empty(BLOCK, np.int32))
    """(BLOCK,) candle number: (open time − first open time) / interval."""
    synthetic: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(BLOCK, np.bool_))
    """(BLOCK,) filled by us where the producer sent nothing."""
    count: int = 0
    saved_in: str | None = None
    """The stored segment that holds this block, if it has been written since it was full."""
    saved_at: int = 0
    """Its place in that segment."""


class History:
    """At least the last `limit` closed candles of a series, up to one block more."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.blocks: list[Block] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forget everything."""
        self.blocks.clear()
        self._count = 0

    def export(self) -> list[Block]:
        """The blocks, oldest first, as they are now: what comes later does not change them."""
        return [block if block.count == BLOCK else replace(block) for block in self.blocks]

    def restore(self, blocks: Sequence[Block]) -> None:
        """Hold these blocks, oldest first, in place of what there is."""
        self.blocks = list(blocks)
        self._count = sum(block.count for block in blocks)

    def append(
        self, candle: NDArray[np.float32], step: int, synthetic: bool, state: NDArray[np.float64]
    ) -> None:
        """Add the next candle (5,); `state`, the feature state before it, is copied where a block begins."""
        if not self.blocks or self.blocks[-1].count == BLOCK:
            self.blocks.append(Block(state.copy()))
        block = self.blocks[-1]
        block.candles[block.count] = candle
        block.steps[block.count] = step
        block.synthetic[block.count] = synthetic
        block.count += 1
        self._count += 1
        if self._count - self.blocks[0].count >= self.limit:
            self._count -= self.blocks[0].count
            del self.blocks[0]

    def find(self, step: int) -> NDArray[np.float32] | None:
        """The stored candle (5,) of that number as a view, or None."""
        place = self._place(step)
        return None if place is None else self.blocks[place[0]].candles[place[1]]

    def replace(self, step: int, candle: NDArray[np.float32]) -> None:
        """Put a corrected candle where number `step` is, if it is still here; from now on a real one."""
        place = self._place(step)
        if place is not None:
            index, at = place
            # Another block in its place: a checkpoint that is being written may read this one.
            old = self.blocks[index]
            changed = replace(old, candles=old.candles.copy(), synthetic=old.synthetic.copy(), saved_in=None)
            changed.candles[at] = candle
            changed.synthetic[at] = False
            self.blocks[index] = changed

    def _place(self, step: int) -> tuple[int, int] | None:
        for index in range(len(self.blocks) - 1, -1, -1):
            block = self.blocks[index]
            if block.count and block.steps[0] <= step:
                at = int(np.searchsorted(block.steps[: block.count], step))
                return (index, at) if at < block.count and block.steps[at] == step else None
        return None

    def candles(self) -> NDArray[np.float32]:
        """Every stored candle, oldest first: (N, 5), a copy."""
        return np.concatenate([block.candles[: block.count] for block in self.blocks])

    def steps(self) -> NDArray[np.int64]:
        """Candle numbers, oldest first: (N,), a copy."""
        return np.concatenate([block.steps[: block.count] for block in self.blocks]).astype(np.int64)

    def synthetic(self) -> NDArray[np.bool_]:
        """Which of them were filled by us: (N,), a copy."""
        return np.concatenate([block.synthetic[: block.count] for block in self.blocks])
