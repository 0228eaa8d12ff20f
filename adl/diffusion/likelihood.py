"""Likelihood of a denoiser: the probability flow carries data to noise, and changes of volume add up on the way.

    log p(x_0) = log N(x_T; 0, sigma_T^2 I) + integral of div v(x, sigma) dsigma,   v = (x - D(x; sigma)) / sigma

What it is the density of is data plus noise of the lowest level.
Source: Song et al. 2021, arXiv:2011.13456, eq. 39 and 40.
"""

import jax
import jax.numpy as jnp
from jax import Array

from adl.core import BadInput, Key
from adl.diffusion.solver import Denoiser, Solver, heun, sample
from adl.prob.distributions import normal_log_prob
from adl.prob.volume import exact_trace, trace_along


def log_likelihood(
    denoiser: Denoiser, x: Array, sigmas: Array, *, solver: Solver = heun, key: Key | None = None
) -> Array:
    """`[B]` log-density of data plus noise of the lowest level, by the probability flow, in nats an example.

    Args:
      denoiser: D, `(x [B, ...], sigma []) -> [B, ...]`.
      x: `[B, ...]` data plus noise of standard deviation `sigmas[-1]`, or the data where that is small beside them.
      sigmas: `[N + 1]` falling levels > 0, as samplers take them without the last 0; at the first, the data must be
        small: of a mean m the answer is off by about |m| / sigma.
      solver: of the steps between them, backwards: `heun`, `runge_kutta` where it must be exact, `euler`.
      key: consumed, by Hutchinson's random signs, the same all along the way, which are right in expectation and cost
        one pass; None: the divergence is exact, and costs a pass for each number of an example.
    Raises:
      BadInput: of fewer than two levels.
    Source: Song et al. 2021, arXiv:2011.13456, eq. 39; of the signs, Grathwohl et al. 2019, arXiv:1810.01367, eq. 7.
    """
    if len(sigmas) < 2:
        raise BadInput(f"a likelihood along {len(sigmas)} noise levels; at least 2")
    sign = None if key is None else jax.random.rademacher(key, x.shape, jnp.float32)

    def carried(state, sigma):
        """What a solver takes for a denoiser: its slope is the velocity, and the divergence one number more."""
        at = state[:, :-1].reshape(x.shape)
        velocity = lambda x: (x - denoiser(x, sigma)) / sigma  # noqa: E731
        v, divergence = exact_trace(velocity, at) if sign is None else trace_along(velocity, at, sign)
        return state - sigma * jnp.concatenate([v.reshape(len(x), -1), divergence[:, None]], -1)

    start = jnp.pad(x.astype(jnp.float32).reshape(len(x), -1), ((0, 0), (0, 1)))
    state = sample(jax.random.key(0), carried, start, sigmas[::-1], solver)  # the solver draws nothing
    noise, change = state[:, :-1], state[:, -1]
    log_std = jnp.full_like(noise, jnp.log(sigmas[0]))
    return normal_log_prob(noise, jnp.zeros_like(noise), log_std).sum(-1) + change
