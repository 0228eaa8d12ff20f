"""Rates: how fast an error falls as something grows, and how many bits a dimension takes."""

import chex
import jax.numpy as jnp

from adl.core.types import Array, Mean


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


def bits(log_prob: Array, *, num_dims: int, levels: int, mask: Array | None = None) -> dict[str, Mean]:
    """Bits a dimension of what has few levels, with the number of levels, without which they say nothing.

    bits = -log p(x) / (D ln 2),   of a uniform model log2 levels

    Numbers of different levels are of different data: 2 bits are good of 256 levels, and half of a guess of 17.

    Args:
      log_prob: `[B]` nats, of the levels' probability or of a bound below it: of a density of (level + u) / levels in
        [0, 1)^D, less D log levels.
      num_dims: D >= 1, pixels times channels.
      levels: >= 2, that each may have: digits 17, most pictures 256, what is binary 2.
      mask: `[B]` in {0, 1}, which examples count; None: all.
    Returns:
      "bits", "bits_uniform" and "levels".
    Source: Theis et al. 2016, arXiv:1511.01844, section 3.1.
    """
    chex.assert_rank(log_prob, 1)
    each = {
        "bits": -log_prob / (num_dims * jnp.log(2.0)),
        "bits_uniform": jnp.full_like(log_prob, jnp.log2(levels)),
        "levels": jnp.full_like(log_prob, levels),
    }
    return {name: Mean.of(value) if mask is None else Mean.of(value, mask) for name, value in each.items()}
