"""What a denoiser holds for unlike what it learned: that of which it makes something else, once noise is on it."""

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.stats import norm

from adl.core import Key
from adl.diffusion.edm import weighted_errors
from adl.diffusion.preconditioner import Preconditioner
from adl.diffusion.solver import Denoiser


def denoising_novelty(
    key: Key, denoise: Denoiser, x: Array, *, preconditioner: Preconditioner, p_mean: float, p_std: float, num: int = 8
) -> Array:
    """`[B]` weighted errors of a denoiser, their mean over noise levels that are even over their law in training.

    Args:
      key: consumed, by the noise, of which each example has its own at each level.
      denoise: D, `(x [B, ...], sigma [B]) -> [B, ...]`.
      x: `[B, ...]` of the scale of training.
      preconditioner: that sets the weights, as in training.
      p_mean: mean of ln(sigma) in training.
      p_std: > 0, its standard deviation.
      num: noise levels.
    Source: Graham et al. 2023, arXiv:2211.07740, section 3, of the error after one step from each of several levels.
    """
    sigmas = jnp.exp(p_mean + p_std * norm.ppf((jnp.arange(num) + 0.5) / num))

    def at_level(own):
        key, sigma = own
        return weighted_errors(key, denoise, x, jnp.full(len(x), sigma), preconditioner=preconditioner)

    return lax.map(at_level, (jax.random.split(key, num), sigmas)).mean(0)
