"""Learning by counting: a step that maps a batch to sums and moves by them; and full passes over a split."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from adl.core.types import Array, Key, Metrics, PyTree, State


def accumulate(
    measure: Callable[..., tuple[PyTree, Metrics]],
    move: Callable[[State, PyTree], State],
    axis: str | None = None,
) -> Callable[..., tuple[State, Metrics]]:
    """Update by sufficient statistics: map, sum over devices, move.

    EM, k-means, exact Bayes and Fisher information are of this form.

    Args:
      measure: `measure(key, state, *batch) -> (statistics, metrics)`; statistics are sums over the batch.
      move: `move(state, statistics) -> state`, the same on every device.
      axis: as in `descend`.
    Returns:
      `update(key, state, *batch) -> (state, metrics)`.
    """

    def update(key: Key, state: State, *batch) -> tuple[State, Metrics]:
        statistics, metrics = measure(key, state, *batch)
        if axis is not None:
            statistics = lax.psum(statistics, axis)
        return move(state, statistics), metrics

    return update


def standardise(x: Array, axis: str | None = None, *, weights: Array | None = None, epsilon: float = 1e-8) -> Array:
    """`x` less its mean, over its standard deviation, both over the global batch.

    Args:
      x: `[B, ...]`, this device's share; every device's is of the same size.
      axis: as in `descend`.
      weights: like `x`, >= 0, of each entry in both; None: 1.
      epsilon: > 0, added to the deviation, which a constant `x` has none of.
    """
    weights = jnp.ones_like(x) if weights is None else weights

    def mean(values):
        total, count = (values * weights).sum(), weights.sum()
        total, count = (total, count) if axis is None else lax.psum((total, count), axis)
        return total / count

    centred = x - mean(x)
    centred = centred - mean(centred)  # what rounding of the mean left, all that there is of a constant
    return centred / (jnp.sqrt(mean(jnp.square(centred))) + epsilon)


def gathered(x: PyTree, axis: str | None = None) -> PyTree:
    """Rows `[n B, ...]` of all n devices, in their order, of each leaf `[B, ...]`.

    What every device must know of the whole batch. A key, too: `gathered(key[None], axis)[0]` is luck that they share.

    Args:
      x: leaves `[B, ...]`, this device's share.
      axis: as in `descend`; None: `x` is the whole already.
    """
    return x if axis is None else lax.all_gather(x, axis, tiled=True)
