"""Guidance: a denoiser for a class made sharper by what it says that no class would have said."""

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
