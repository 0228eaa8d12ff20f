"""Likelihood of a denoiser: the probability flow carries data to noise, and changes of volume add up on the way.

    log p(x_0) = log N(x_T; 0, sigma_T^2 I) + integral of div v(x, sigma) dsigma,   v = (x - D(x; sigma)) / sigma

What it is the density of is data plus noise of the lowest level.
Source: Song et al. 2021, arXiv:2011.13456, eq. 39 and 40.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.core import BadInput, Key
from adl.diffusion.solver import Denoiser
from adl.prob.distributions import normal_log_prob
from adl.prob.volume import exact_trace, trace_along


def log_likelihood(denoiser: Denoiser, x: Array, sigmas: Array, *, key: Key | None = None) -> Array:
    """`[B]` log-density of data plus noise of the lowest level, by the probability flow, in nats an example.

    Args:
      denoiser: D, `(x [B, ...], sigma []) -> [B, ...]`.
      x: `[B, ...]` data plus noise of standard deviation `sigmas[-1]`, or the data where that is small beside them.
      sigmas: `[N + 1]` falling levels > 0, as samplers take them without the last 0; the data must be small beside the
        first. The steps between them are Heun's, backwards: an error of order 2.
      key: consumed, by Hutchinson's random signs, the same all along the way, which are right in expectation and cost
        one pass; None: the divergence is exact, and costs a pass for each number of an example.
    Raises:
      BadInput: of fewer than two levels.
    Source: Song et al. 2021, arXiv:2011.13456, eq. 39; of the steps, Karras et al. 2022, arXiv:2206.00364, algorithm 1.
    """
    if len(sigmas) < 2:
        raise BadInput(f"a likelihood along {len(sigmas)} noise levels; at least 2")
    sign = None if key is None else jax.random.rademacher(key, x.shape, jnp.float32)

    def slope(x, sigma):
        velocity = lambda x: (x - denoiser(x, sigma)) / sigma  # noqa: E731
        return exact_trace(velocity, x) if sign is None else trace_along(velocity, x, sign)

    def step(state, levels):
        x, change = state
        width = levels[1] - levels[0]

        def look(at, sigma):
            found = slope(at, sigma)
            return x + width * found[0], found

        v, divergence = lax.scan(look, x, levels)[1]  # a scan: the denoiser is compiled once
        return (x + width * v.mean(0), change + width * divergence.mean(0)), None

    start, rising = (x.astype(jnp.float32), jnp.zeros(len(x))), sigmas[::-1]
    (noise, change), _ = lax.scan(step, start, jnp.stack([rising[:-1], rising[1:]], 1))
    rows = noise.reshape(len(x), -1)
    log_std = jnp.full_like(rows, jnp.log(sigmas[0]))
    return normal_log_prob(rows, jnp.zeros_like(rows), log_std).sum(-1) + change
