"""One learns first; another begins with what that one knows."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from adl.core.lift import alternate
from adl.core.types import Algorithm, Batch, Key, PyTree


class Handed(NamedTuple):
    """State of `handing_over`."""

    source: PyTree  # of who learns first
    heir: PyTree  # of who begins with what that one knows


def handing_over(
    source: Algorithm,
    heir: Algorithm,
    hand_over: Callable[[PyTree, PyTree], PyTree],
    periods: tuple[int, int],
    *,
    name: str = "source",
) -> Algorithm:
    """One algorithm first, then another, whose state is made of both in between.

    A step reports `NAME_` and what the first reports, then what the other does; in the first step of the other it is
    handed over, and nothing is learned. Afterwards it begins anew, as `alternate` does.

    Args:
      source: who learns first.
      heir: who then learns.
      hand_over: `(state of the source, state of the heir) -> state of the heir`, in arrays of its own.
      periods: steps of the first, >= 1, and of the other, >= 2.
      name: before the first's metrics.
    """

    def init(key: Key, batch: Batch) -> Handed:
        own, theirs = jax.random.split(key)
        return Handed(source.init(own, batch), heir.init(theirs, batch))

    def learn(key: Key, state: Handed, batch: Batch):
        new, metrics = source.step(key, state.source, batch)
        return state._replace(source=new), {f"{name}_{metric}": mean for metric, mean in metrics.items()}

    def between(key: Key, state: Handed, batch: Batch):  # under `vmap` every phase runs at every step
        return state._replace(heir=hand_over(state.source, state.heir)), {}

    def tune(key: Key, state: Handed, batch: Batch):
        new, metrics = heir.step(key, state.heir, batch)
        return state._replace(heir=new), metrics

    return alternate(init, (learn, between, tune), (periods[0], 1, periods[1] - 1))
