"""Guidance: a denoiser led to a class, by its own prediction without one or by a classifier of noisy data."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from adl.diffusion.solver import Denoiser


def away_from(unconditional: Array, conditional: Array, scale: Array | float) -> Array:
    """D_w = D_u + w (D_c - D_u), what is said `[B, ...]` of two predictions of the same x `[B, ...]`.

    Args:
      unconditional: D_u `[B, ...]`, of a denoiser that is not told the class.
      conditional: D_c `[B, ...]`, of one that is.
      scale: w `[]`, as in `classifier_free`.
    Source: Ho & Salimans 2022, arXiv:2207.12598, eq. 6 (there the scale is w + 1).
    """
    return unconditional + scale * (conditional - unconditional)


def classifier_free(conditional: Denoiser, unconditional: Denoiser, scale: Array | float) -> Denoiser:
    """Denoiser that extrapolates from the unconditional to the conditional prediction.

    D_w = D_u + w (D_c - D_u), as `away_from` blends them.

    Args:
      conditional: D_c, told the class.
      unconditional: D_u, not told.
      scale: w `[]`; 0 forgets the class, 1 samples the model's own conditional distribution, more trades variety
        for typical members of the class.
    Source: Ho & Salimans 2022, arXiv:2207.12598, eq. 6 (there the scale is w + 1).
    """

    def denoise(x, sigma):
        return away_from(unconditional(x, sigma), conditional(x, sigma), scale)

    return denoise


def by_classifier(denoiser: Denoiser, log_prob: Callable[[Array, Array], Array], scale: Array | float) -> Denoiser:
    """Denoiser that is led to where a classifier of noisy data finds the class likelier.

    D_w(x; sigma) = D(x; sigma) + w sigma^2 grad_x log p(c | x; sigma)

    Args:
      denoiser: D, not told the class.
      log_prob: `(x [B, ...], sigma []) -> [B]` log-probability of the class of each example, in nats, by a classifier
        that knows data plus sigma noise.
      scale: w `[]`; 0 forgets the class, 1 samples by Bayes' rule, more trades variety for members that are sure.
    Source: Dhariwal & Nichol 2021, arXiv:2105.05233, eq. 10 and algorithm 2, as a denoiser.
    """

    def denoise(x, sigma):
        uphill = jax.grad(lambda x: log_prob(x, sigma).sum())(x)
        level = sigma if jnp.ndim(sigma) == 0 else sigma.reshape(-1, *[1] * (x.ndim - 1))
        return denoiser(x, sigma) + scale * level**2 * uphill

    return denoise
