"""Solvers of the probability-flow equation, or of its stochastic sisters, and the scan that samples with any of them.

dx / dsigma = (x - D(x; sigma)) / sigma   carries noise at `sigma_max` into data at 0, given a denoiser D.
Source: Karras et al. 2022, arXiv:2206.00364, eq. 1 and 3 for sigma(t) = t, s(t) = 1.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.core import BadInput, Key

Denoiser = Callable[[Array, Array], Array]  # (x [B, ...], sigma []) -> E[data | x] [B, ...]
Solver = Callable[[Key, Denoiser, Array, Array, Array], Array]  # (key, denoiser, x, sigma, next sigma) -> next x


def sample(key: Key, denoiser: Denoiser, x: Array, sigmas: Array, solver: Solver) -> Array:
    """Data from noise: one solver step for each pair of neighbouring noise levels.

    Args:
      key: consumed; only stochastic solvers draw from it.
      denoiser: `(x [B, ...], sigma []) -> [B, ...]`.
      x: `[B, ...]` noise of standard deviation `sigmas[0]`.
      sigmas: `[N + 1]` falling noise levels; the last may be 0.
      solver: `euler`, `heun`, `runge_kutta`, one of these in `churned`, `ddim` or `reverse`.
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


def runge_kutta(key: Key, denoiser: Denoiser, x: Array, sigma: Array, sigma_next: Array) -> Array:
    """One step by the classical four slopes; four calls, global error of order 4.

    A step to 0 is Euler's, as in `heun`.

    Args:
      key: unused.
      denoiser: as in `sample`.
      x: `[B, ...]` at noise level `sigma`.
      sigma: `[]` > 0.
      sigma_next: `[]` >= 0.
    Source: Kutta 1901, Z. Math. Phys. 46.
    """
    del key
    step = sigma_next - sigma
    ends = jnp.where(sigma_next > 0, sigma_next, sigma)

    def look(slope, at):
        share, level = at
        slope = _slope(denoiser, x + share * step * slope, level)
        return slope, slope

    middle = (sigma + ends) / 2
    places = jnp.array([0, 0.5, 0.5, 1], x.dtype), jnp.stack([sigma, middle, middle, ends])
    slopes = lax.scan(look, jnp.zeros_like(x), places)[1]
    mean = (slopes[0] + 2 * slopes[1] + 2 * slopes[2] + slopes[3]) / 6
    return x + step * jnp.where(sigma_next > 0, mean, slopes[0])


def ddim(eta: float = 0.0) -> Solver:
    """DDIM's step, and all between it and DDPM's: what is seen, less of the noise seen in it, and some that is fresh.

    x' = D + sqrt(s'^2 - v^2) (x - D) / s + v n,   v = eta s' sqrt(1 - s'^2 / s^2),   n ~ N(0, I),   s, s' noise levels

    It is the same of every process, for over alpha all are data plus noise: at eta = 0 it is `euler`, at 1 DDPM, the
    posterior of the chain.

    Args:
      eta: in [0, 1]; 0 adds no noise, 1 as much as DDPM.
    Raises:
      BadInput: if it is not.
    Source: Song et al. 2021, arXiv:2010.02502, eq. 12 and 16; of eta = 1, Ho et al. 2020, arXiv:2006.11239, eq. 7.
    """
    if not 0 <= eta <= 1:
        raise BadInput(f"eta is {eta:g}; it must be in [0, 1]: 0 adds no noise (DDIM), 1 as much as DDPM")

    def step(key, denoiser, x, sigma, sigma_next):
        seen, share = denoiser(x, sigma), sigma_next / sigma
        fresh = eta * jnp.sqrt((1 - share) * (1 + share))  # of the noise at the next level
        kept = share * jnp.sqrt(1 - fresh**2)
        return seen + kept * (x - seen) + sigma_next * fresh * jax.random.normal(key, x.shape, x.dtype)

    return step


def reverse(key: Key, denoiser: Denoiser, x: Array, sigma: Array, sigma_next: Array) -> Array:
    """One step of Euler-Maruyama of the stochastic equation that runs the noising backwards; one call.

    dx = 2 (x - D(x; sigma)) / sigma dsigma + sqrt(2 sigma |dsigma|) n,   n ~ N(0, I)

    Its law, not each path, converges with order 1. The last step to 0 adds no noise and returns D(x; sigma).

    Args:
      key: consumed, by the noise.
      denoiser: as in `sample`.
      x: `[B, ...]` at noise level `sigma`.
      sigma: `[]` > 0.
      sigma_next: `[]` >= 0.
    Source: Song et al. 2021, arXiv:2011.13456, eq. 6, of sigma(t) = t.
    """
    noise = jax.random.normal(key, x.shape, x.dtype)
    slope, step = _slope(denoiser, x, sigma), sigma_next - sigma
    onward = x + 2 * step * slope + jnp.sqrt(-2 * sigma * step) * noise
    return jnp.where(sigma_next > 0, onward, x + step * slope)


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
