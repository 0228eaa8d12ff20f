"""Schedules: the noise levels that a sampler visits, from the largest down to none."""

import jax
import jax.numpy as jnp
from jax import Array

from adl.core import BadInput
from adl.diffusion.process import Process

LEAST = 1e-6  # of alpha at the first time: below, it is rounding


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


def even(process: Process, num_steps: int, *, first: float = 1.0) -> Array:
    """Noise levels at even times of a process, as DDPM and DDIM step: t_i = first (1 - i / N), i = 0 ... N.

    Args:
      process: whose sigma / alpha at these times they are.
      num_steps: N >= 1, steps of the solver.
      first: > 0, the time of the first; where alpha is 0, as `straight`'s and `cosine`'s at 1, it must be before.
    Returns:
      `[N + 1]` falling levels that end with 0: of data over alpha, in the unit of the data.
    Raises:
      BadInput: of no steps; outside a trace, of no first time, and of one where alpha is 0.
    Source: Ho et al. 2020, arXiv:2006.11239, algorithm 2; of fewer steps, Song et al. 2021, arXiv:2010.02502, section
      4.2.
    """
    if num_steps < 1 or (not isinstance(first, jax.core.Tracer) and first <= 0):
        raise BadInput(f"{num_steps} steps from the time {first}; at least 1, from after 0")
    signal = process.signal(first * (1 - jnp.arange(num_steps) / num_steps))
    if not isinstance(signal.alpha, jax.core.Tracer) and not signal.alpha[0] > LEAST:
        raise BadInput(f"nothing of the data is left at the time {first:g}; begin before, at 0.99 for one")
    return jnp.append(signal.sigma / signal.alpha, 0.0)
