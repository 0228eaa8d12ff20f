"""Rates: how fast an error falls as something grows."""

import chex
import jax.numpy as jnp

from adl.core.types import Array


def power_law(x: Array, y: Array) -> Array:
    """`[]` the power p of y ~ x^p: the slope of log y over log x by least squares.

    Args:
      x: `[T]` > 0; all equal they have no answer: nan.
      y: `[T]` > 0.
    """
    chex.assert_rank([x, y], 1)
    chex.assert_equal_shape([x, y])
    # About the first: what is all equal is then all 0, and has no power.
    x, y = (values - values[0] for values in (jnp.log(x), jnp.log(y)))
    x, y = (values - values.mean() for values in (x, y))
    return (x * y).sum() / jnp.square(x).sum()
