"""Batches for algorithms that learn in phases: of each phase its own, in turn."""

from collections.abc import Sequence

from adl.core import PyTree, SharedBatches
from adl.data.batches import counted


class AlternatingBatches(SharedBatches):
    """Batches of phases in turn; each phase reads on where it stopped."""

    def __init__(self, batches: Sequence[SharedBatches], periods: Sequence[int]):
        self.batches, self.periods = tuple(batches), tuple(periods)

    def share(self, index: int, count: int) -> "AlternatingBatches":
        """The same batches, of which this process gathers its share of each phase's."""
        return AlternatingBatches([batches.share(index, count) for batches in self.batches], self.periods)

    def __getitem__(self, step: int) -> PyTree:
        turn, place = divmod(counted(step), sum(self.periods))
        for batches, period in zip(self.batches, self.periods, strict=True):
            if place < period:
                return batches[turn * period + place]
            place -= period
        raise AssertionError


def alternating(batches: Sequence[SharedBatches], periods: Sequence[int]) -> AlternatingBatches:
    """Batches for `core.alternate`, where its phases learn from different ones, or in another order.

    Args:
      batches: of each phase; all of one structure and shape.
      periods: steps each phase lasts, >= 1.
    """
    return AlternatingBatches(batches, periods)
