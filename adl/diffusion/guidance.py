"""Guidance: a denoiser for a class made sharper by what it says that no class would have said."""

from jax import Array

from adl.diffusion.solver import Denoiser


def classifier_free(conditional: Denoiser, unconditional: Denoiser, scale: Array | float) -> Denoiser:
    """Denoiser that extrapolates from the unconditional to the conditional prediction.

    D_w = D_u + w (D_c - D_u)

    Args:
      conditional: D_c, told the class.
      unconditional: D_u, not told.
      scale: w `[]`; 0 forgets the class, 1 samples the model's own conditional distribution, more trades variety
        for typical members of the class.
    Source: Ho & Salimans 2022, arXiv:2207.12598, eq. 6 (there the scale is w + 1).
    """

    def denoise(x, sigma):
        free = unconditional(x, sigma)
        return free + scale * (conditional(x, sigma) - free)

    return denoise
