"""Curves of a number, and noisy points about them, in pure JAX: toys of regression."""

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key


def rising_waves(x: Array) -> Array:
    """One and a half waves over [-1, 1] that grow: sin(1.5 pi x) (0.6 + 0.4 x)."""
    return jnp.sin(1.5 * jnp.pi * x) * (0.6 + 0.4 * x)


def gapped(key: Key, n: int, *, noise: float = 0.15) -> tuple[Array, Array]:
    """Points x `[n]` in [-1, 1], none between 0.1 and 0.6, and y `[n]` about `rising_waves`.

    Args:
      key: consumed.
      n: >= 1.
      noise: >= 0, standard deviation of y about the curve.
    """
    place, about = jax.random.split(key)
    x = jax.random.uniform(place, (n,), minval=-1, maxval=0.5)
    x = jnp.where(x > 0.1, x + 0.5, x)
    return x, rising_waves(x) + noise * jax.random.normal(about, (n,))
