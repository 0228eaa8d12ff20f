"""Ranks: whether one quantity rises with another, whatever the shape of the way."""

import chex
import jax.numpy as jnp
from jax import Array


def rank_correlation(x: Array, y: Array) -> Array:
    """`[]` Spearman's rank correlation, in [-1, 1]: 1 where `y` rises with `x` all the way, -1 where it falls.

    What ties has the mean of its ranks; nan where all of one ties, or is not a number.

    Args:
      x: `[N]`.
      y: `[N]`.
    Source: Spearman 1904, American Journal of Psychology 15(1).
    """
    chex.assert_rank([x, y], 1)
    chex.assert_equal_shape([x, y])
    x, y = (_ranks(values) - (len(values) - 1) / 2 for values in (x, y))
    return (x * y).sum() / jnp.sqrt(jnp.square(x).sum() * jnp.square(y).sum())


def _ranks(values):
    ordered = jnp.sort(values)
    first, last = (jnp.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return jnp.where(jnp.isnan(values).any(), jnp.nan, (first + last - 1) / 2)
