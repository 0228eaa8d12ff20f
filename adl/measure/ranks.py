"""Ranks: whether one quantity rises with another, whatever the shape of the way."""

import chex
import jax.numpy as jnp
from jax import Array


def rank_correlation(x: Array, y: Array) -> Array:
    """`[]` Spearman's rank correlation, in [-1, 1]: 1 where `y` rises with `x` all the way, -1 where it falls.

    Args:
      x: `[N]`, without ties.
      y: `[N]`, without ties.
    Source: Spearman 1904, American Journal of Psychology 15(1).
    """
    chex.assert_rank([x, y], 1)
    chex.assert_equal_shape([x, y])
    ranks = [jnp.argsort(jnp.argsort(values)).astype(jnp.float32) for values in (x, y)]
    return jnp.corrcoef(*ranks)[0, 1]
