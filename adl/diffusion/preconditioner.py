"""Preconditioners: how a network of unit-variance signals becomes a denoiser at every noise level.

D(x; sigma) = c_skip(sigma) x + c_out(sigma) F(c_in(sigma) x; c_noise(sigma))
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Coefficients(NamedTuple):
    """The four factors at noise level `sigma` `[...]`, each of the same shape."""

    skip: Array  # of the noisy picture in the denoised one
    out: Array  # of the network's output in the denoised picture
    scale: Array  # c_in, of the noisy picture on its way into the network
    noise: Array  # c_noise, the noise level as the network is told it


Preconditioner = Callable[[Array], Coefficients]


def karras(sigma_data: float) -> Preconditioner:
    """Factors that keep the network's input and its target at unit variance, and let through least of its error.

    c_skip = s^2 / (sigma^2 + s^2),  c_out = sigma s / sqrt(sigma^2 + s^2),  c_in = 1 / sqrt(sigma^2 + s^2),
    c_noise = ln(sigma) / 4,   s = sigma_data

    Args:
      sigma_data: > 0, root mean square of the data's pixels.
    Source: Karras et al. 2022, arXiv:2206.00364, table 1 and appendix B.6.
    """

    def coefficients(sigma):
        total = jnp.sqrt(sigma**2 + sigma_data**2)
        return Coefficients((sigma_data / total) ** 2, sigma * sigma_data / total, 1 / total, jnp.log(sigma) / 4)

    return coefficients


def variance_exploding(sigma: Array) -> Coefficients:
    """The score networks' factors: the network predicts the noise of a picture that it sees unscaled.

    c_skip = 1,  c_out = sigma,  c_in = 1,  c_noise = ln(sigma / 2)

    Args:
      sigma: `[...]` > 0, noise level.
    Source: Song et al. 2021, arXiv:2011.13456, as in Karras et al. 2022, arXiv:2206.00364, table 1.
    """
    one = jnp.ones_like(sigma)
    return Coefficients(one, sigma, one, jnp.log(sigma / 2))
