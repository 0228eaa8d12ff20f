"""Nearest neighbours: a classifier without parameters, and the distances that it goes by."""

import chex
import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.prob.product import matmul


def squared_distances(x: Array, y: Array) -> Array:
    """`[N, M]` squared Euclidean distances between the rows of `x` `[N, D]` and `y` `[M, D]`, >= 0."""
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    products = matmul(x, y.T)
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
    chex.assert_equal_shape_prefix([reference, labels], 1)
    _, nearest = lax.top_k(-squared_distances(x, reference), k)
    return jax.nn.one_hot(labels[nearest], num_classes).sum(1).argmax(1)
