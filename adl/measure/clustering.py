"""Clusterings: how far two labellings of the same examples say the same."""

import jax
import jax.numpy as jnp
from jax import Array

from adl.prob.information import entropy


def contingency(x: Array, y: Array, *, num_x: int, num_y: int) -> Array:
    """`[num_x, num_y]` how often labels `x [N]` in 0 ... num_x - 1 and `y [N]` in 0 ... num_y - 1 met; -1 is none."""
    return jax.nn.one_hot(x, num_x).T @ jax.nn.one_hot(y, num_y)


def normalized_mutual_information(counts: Array) -> Array:
    """`[]` mutual information of two labellings over the mean of their entropies: 0 independent, 1 the same partition.

    2 I(x, y) / (H(x) + H(y));  1 where both have one label only.

    Args:
      counts: `[X, Y]` from `contingency`.
    Source: Vinh, Epps & Bailey 2010, JMLR 11, table 2.
    """
    p = counts / counts.sum()
    separate = entropy(p.sum(0)) + entropy(p.sum(1))
    return jnp.where(separate > 0, 2 * (1 - entropy(p) / jnp.where(separate > 0, separate, 1)), 1.0)


def purity(counts: Array) -> Array:
    """`[]` accuracy in [0, 1] of calling each cluster by its most frequent class.

    Args:
      counts: `[X, Y]` from `contingency`, of classes and clusters.
    """
    return counts.max(0).sum() / counts.sum()
