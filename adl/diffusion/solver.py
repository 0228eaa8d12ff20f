"""Solvers of the probability-flow equation, and the scan that samples with any of them.

dx / dsigma = (x - D(x; sigma)) / sigma   carries noise at `sigma_max` into data at 0, given a denoiser D.
Source: Karras et al. 2022, arXiv:2206.00364, eq. 1 and 3 for sigma(t) = t, s(t) = 1.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.core import Key

Denoiser = Callable[[Array, Array], Array]  # (x [B, ...], sigma []) -> E[data | x] [B, ...]
Solver = Callable[[Key, Denoiser, Array, Array, Array], Array]  # (key, denoiser, x, sigma, next sigma) -> next x


def sample(key: Key, denoiser: Denoiser, x: Array, sigmas: Array, solver: Solver) -> Array:
    """Data from noise: one solver step for each pair of neighbouring noise levels.

    Args:
      key: consumed; only stochastic solvers draw from it.
      denoiser: `(x [B, ...], sigma []) -> [B, ...]`.
      x: `[B, ...]` noise of standard deviation `sigmas[0]`.
      sigmas: `[N + 1]` falling noise levels; the last may be 0.
      solver: `euler`, `heun`, or one of these in `churned`.
    Returns:
      `[B, ...]` at noise level `sigmas[-1]`.
    """
    return lax.scan(lambda x, step: (solver(step[0], denoiser, x, *step[1:]), None), x, _steps(key, sigmas))[0]


def path(key: Key, denoiser: Denoiser, x: Array, sigmas: Array, solver: Solver) -> Array:
    """`[N + 1, B, ...]` every state that `sample` passes with the same arguments, `x` itself first."""

    def step(x, inputs):
        x = solver(inputs[0], denoiser, x, *inputs[1:])
        return x, x

    return jnp.concatenate([x[None], lax.scan(step, x, _steps(key, sigmas))[1]])


def euler(key: Key, denoiser: Denoiser, x: Array, sigma: Array, sigma_next: Array) -> Array:
    """One step along the slope at its beginning; one call of the denoiser, global error of order 1.

    Args:
      key: unused.
      denoiser: as in `sample`.
      x: `[B, ...]` at noise level `sigma`.
      sigma: `[]` > 0.
      sigma_next: `[]` >= 0.
    """
    del key
    return x + (sigma_next - sigma) * _slope(denoiser, x, sigma)


def heun(key: Key, denoiser: Denoiser, x: Array, sigma: Array, sigma_next: Array) -> Array:
    """One step along the mean of the slopes at both ends; two calls, global error of order 2.

    The slope at 0 is undefined, so a step to 0 is Euler's: it returns D(x; sigma).

    Args:
      key: unused.
      denoiser: as in `sample`.
      x: `[B, ...]` at noise level `sigma`.
      sigma: `[]` > 0.
      sigma_next: `[]` >= 0.
    Source: Karras et al. 2022, arXiv:2206.00364, algorithm 1.
    """
    del key

    def look(x, sigma):
        slope = _slope(denoiser, x, sigma)
        return x + (sigma_next - levels[0]) * slope, slope

    levels = jnp.stack([sigma, jnp.where(sigma_next > 0, sigma_next, sigma)])
    slopes = lax.scan(look, x, levels)[1]  # a scan: the denoiser, which may be large, is compiled once
    return x + (sigma_next - sigma) * jnp.where(sigma_next > 0, slopes.mean(0), slopes[0])


def churned(
    solver: Solver, *, gamma: float, sigma_low: float = 0.0, sigma_high: float = jnp.inf, noise_scale: float = 1.0
) -> Solver:
    """A solver that first adds fresh noise, so that errors made earlier are forgotten.

    sigma_hat = (1 + gamma) sigma,   x_hat = x + noise_scale sqrt(sigma_hat^2 - sigma^2) n,   n ~ N(0, I)

    Args:
      solver: takes the step from `sigma_hat`.
      gamma: in [0, sqrt(2) - 1]; S_churn / N of the paper, 0 adds none.
      sigma_low: noise is added only at levels from `sigma_low`
      sigma_high: to `sigma_high`.
      noise_scale: about 1; a little more makes up for the detail that a denoiser loses.
    Source: Karras et al. 2022, arXiv:2206.00364, algorithm 2.
    """

    def step(key, denoiser, x, sigma, sigma_next):
        noise_key, key = jax.random.split(key)
        raise_by = gamma * ((sigma >= sigma_low) & (sigma <= sigma_high))
        # sigma_hat^2 - sigma^2, written so that rounding cannot turn it negative.
        added = sigma * jnp.sqrt(raise_by * (2 + raise_by))
        noise = noise_scale * jax.random.normal(noise_key, x.shape, x.dtype)
        return solver(key, denoiser, x + added * noise, (1 + raise_by) * sigma, sigma_next)

    return step


def _slope(denoiser, x, sigma):
    return (x - denoiser(x, sigma)) / sigma


def _steps(key, sigmas):
    return jax.random.split(key, len(sigmas) - 1), sigmas[:-1], sigmas[1:]
