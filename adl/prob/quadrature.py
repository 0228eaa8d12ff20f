"""Integrals over the plane, by the midpoint rule: what a density of two variables integrates to, exactly enough."""

import jax
import jax.numpy as jnp
from jax import Array


def plane(low: float, high: float, num: int) -> tuple[Array, float]:
    """Centers `[num, num, 2]` of the cells of a square, rows along the second coordinate, and a cell's area.

    Args:
      low: of both coordinates.
      high: > low.
      num: cells along a side, >= 1. A smooth density that vanishes towards the edges is integrated to rounding once
        cells are about as small as its finest standard deviation.
    """
    side = (high - low) / num
    centers = low + side * (jnp.arange(num) + 0.5)
    return jnp.stack(jnp.meshgrid(centers, centers), -1), side**2


def log_integral(log_values: Array, area: float) -> Array:
    """`[]` log of the integral of exp(log_values).

    Args:
      log_values: `[...]` one for each cell.
      area: of a cell, > 0.
    """
    return jax.nn.logsumexp(log_values) + jnp.log(area)
