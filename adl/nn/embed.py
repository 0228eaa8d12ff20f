"""Embeddings of numbers: what a network can tell apart in a single coordinate, at many scales at once."""

import jax.numpy as jnp
from jax import Array


def sinusoidal(x: Array, dim: int, *, slowest: float = 1e-4, fastest: float = 1.0) -> Array:
    """Cosines and sines of `x` at geometrically spaced frequencies.

    (cos(w_i x), sin(w_i x)),   w_i = fastest * (slowest / fastest)^(i / (dim/2 - 1)),   i = 0 ... dim/2 - 1

    Args:
      x: `[...]` positions, times or log noise levels, in any unit.
      dim: D, even and >= 4.
      slowest: > 0, lowest frequency in radians a unit of `x`; 2 pi / slowest should exceed the range of `x`.
      fastest: > slowest, highest frequency; 1 / fastest is about the smallest difference that can be seen.
    Returns:
      `[..., D]` in [-1, 1], of Euclidean norm sqrt(dim / 2).
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5 (there slowest 1e-4, fastest 1).
    """
    frequencies = jnp.geomspace(fastest, slowest, dim // 2)
    angles = jnp.multiply.outer(jnp.asarray(x, jnp.float32), frequencies)
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], -1)
