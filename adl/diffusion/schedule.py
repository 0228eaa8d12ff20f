"""Schedules: the noise levels that a sampler visits, from the largest down to none."""

import jax.numpy as jnp
from jax import Array


def karras(num_steps: int, *, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> Array:
    """Noise levels whose spacing shrinks towards zero, where a trajectory bends most.

    sigma_i = (sigma_max^(1/rho) + i / (N - 1) (sigma_min^(1/rho) - sigma_max^(1/rho)))^rho,   sigma_N = 0

    Args:
      num_steps: N >= 2, steps of the solver.
      sigma_min: > 0, the last level before zero, in the unit of the data.
      sigma_max: > sigma_min; the data must be small beside it, for sampling starts from pure noise.
      rho: > 0; 1 spaces the levels evenly, large values evenly in the logarithm.
    Returns:
      `[N + 1]` falling levels that end with 0.
    Source: Karras et al. 2022, arXiv:2206.00364, eq. 5.
    """
    ends = jnp.asarray([sigma_max, sigma_min]) ** (1 / rho)
    return jnp.append(jnp.linspace(ends[0], ends[1], num_steps) ** rho, 0.0)
