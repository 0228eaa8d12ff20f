"""Nearest neighbours: a classifier without parameters, and a test that asks whether two samples are one."""

import jax
import jax.numpy as jnp
from jax import Array, lax


def squared_distances(x: Array, y: Array) -> Array:
    """`[N, M]` squared Euclidean distances between the rows of `x` `[N, D]` and `y` `[M, D]`, >= 0."""
    products = jnp.matmul(x, y.T, precision=lax.Precision.HIGHEST)
    return jnp.maximum((x**2).sum(1)[:, None] - 2 * products + (y**2).sum(1)[None], 0)


def classify(x: Array, reference: Array, labels: Array, *, k: int, num_classes: int) -> Array:
    """`[N]` class of each row by the votes of its k nearest references; a draw goes to the lowest class.

    Args:
      x: `[N, D]` rows to be classified.
      reference: `[M, D]` rows whose class is known.
      labels: `[M]` integers in 0 ... num_classes - 1.
      k: in 1 ... M.
      num_classes: K >= 1.
    Source: Cover & Hart 1967, IEEE Transactions on Information Theory 13(1).
    """
    _, nearest = lax.top_k(-squared_distances(x, reference), k)
    return jax.nn.one_hot(labels[nearest], num_classes).sum(1).argmax(1)


def two_sample_accuracy(x: Array, y: Array) -> Array:
    """`[]` leave-one-out accuracy of a 1-nearest-neighbour classifier that tells rows of `x` from rows of `y`.

    1/2 in expectation where both come from one distribution; 1 where they lie apart; near 0 where each row of one
    is a copy of a row of the other, for then the nearest neighbour is always of the other sample.

    Args:
      x: `[N, D]` one sample.
      y: `[N, D]` the other, of the same size, or 1/2 is no longer chance.
    Source: Lopez-Paz & Oquab 2017, arXiv:1610.06545; as a test of generative models, Xu et al. 2018,
    arXiv:1806.07755.
    """
    both = jnp.concatenate([x, y])
    is_x = jnp.arange(len(both)) < len(x)
    distances = squared_distances(both, both).at[jnp.diag_indices(len(both))].set(jnp.inf)
    return (is_x[distances.argmin(1)] == is_x).mean()
