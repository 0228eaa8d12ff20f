"""EDM: learning to denoise at log-normally distributed noise levels.

Source: Karras et al. 2022, arXiv:2206.00364. Training is a weighted regression of clean on noisy pictures;
the preconditioner, the schedule, the solver and the guidance are choices made elsewhere, independently.
"""

import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, PyTree
from adl.diffusion import denoising, target
from adl.diffusion.preconditioner import Preconditioner
from adl.diffusion.process import exploding
from adl.diffusion.solver import Denoiser


def edm(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    preconditioner: Preconditioner,
    prepare: denoising.Prepare = lambda key, batch: (batch, None),
    p_mean: float = -1.2,
    p_std: float = 1.2,
    axis: str | None = None,
) -> Algorithm:
    """`denoising` of data plus noise by a preconditioned network, at log-normal noise levels.

    loss = E mean_pixels (D(y + sigma n; sigma) - y)^2 / c_out(sigma)^2,   ln(sigma) ~ N(p_mean, p_std^2)

    Args:
      model: as in `denoising`; the time is c_noise(sigma).
      tx: as in `denoising`.
      preconditioner: of the network, for data of the scale that `prepare` returns.
      prepare: as in `denoising` (`denoising.labelled`).
      p_mean: mean of ln(sigma) in training.
      p_std: > 0, its standard deviation.
      axis: as in `core.descend`.
    Source: Karras et al. 2022, arXiv:2206.00364, eq. 2 and 8 with lambda = 1 / c_out^2.
    """
    return denoising.denoising(
        model,
        tx,
        process=exploding,
        target=target.preconditioned(preconditioner),
        levels=denoising.log_normal(p_mean, p_std),
        prepare=prepare,
        axis=axis,
    )


def denoiser(model: nn.Module, variables: PyTree, condition: PyTree, *, preconditioner: Preconditioner) -> Denoiser:
    """The trained network as a denoiser of examples under given conditions.

    D(x; sigma) = c_skip x + c_out F(c_in x; c_noise, condition)

    Args:
      model: the network F.
      variables: its flax collections.
      condition: what it is told of each example: classes `[B]`, K for none.
      preconditioner: as in training.
    Returns:
      `(x [B, ...], sigma [] or [B]) -> [B, ...]`.
    """
    of = {"process": exploding, "target": target.preconditioned(preconditioner)}
    return denoising.denoiser(model, variables, condition, **of)


def weighted_errors(
    key: Key, denoise: Denoiser, image: Array, sigma: Array, *, preconditioner: Preconditioner
) -> Array:
    """`[B]` weighted squared errors of a denoiser on freshly noised pictures.

    mean_pixels (D(y + sigma n; sigma) - y)^2 / c_out(sigma)^2,   n ~ N(0, I)

    With the preconditioner `karras`, a network that answers 0 has an error of 1 at every noise level, for data of
    standard deviation sigma_data.

    Args:
      key: consumed, by the noise.
      denoise: D, `(x [B, ...], sigma [B]) -> [B, ...]`.
      image: `[B, ...]` clean pictures y.
      sigma: `[B]` > 0, noise levels.
      preconditioner: whose c_out sets the weights.
    Source: Karras et al. 2022, arXiv:2206.00364, eq. 2 and 8 with lambda = 1 / c_out^2.
    """
    judged = target.data._replace(error=lambda clean, x, n, signal: (clean - x) / preconditioner(signal.sigma).out)
    return denoising.denoising_errors(key, denoise, image, sigma, process=exploding, target=judged)
