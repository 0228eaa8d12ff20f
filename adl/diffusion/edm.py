"""EDM: learning to denoise at log-normally distributed noise levels.

Source: Karras et al. 2022, arXiv:2206.00364. Training is a weighted regression of clean on noisy pictures;
the preconditioner, the schedule, the solver and the guidance are choices made elsewhere, independently.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Learner, Mean, PyTree, descend, forward
from adl.diffusion.preconditioner import Preconditioner
from adl.diffusion.solver import Denoiser


def edm(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    preconditioner: Preconditioner,
    encode: Callable[[Array], Array] = lambda image: image,
    p_mean: float = -1.2,
    p_std: float = 1.2,
    label_dropout: float = 0.1,
    axis: str | None = None,
) -> Algorithm:
    """Class-conditional denoising diffusion.

    The state is a `Learner`; a batch is `{"image": [B, ...], "label": [B]}`.

    Args:
      model: `(x [B, H, W, C], noise [B], label [B]) -> [B, H, W, C]` with a field `num_classes` K; label K is none.
      tx: optax transformation; end its chain with `core.average_params` to sample from averaged parameters.
      preconditioner: of the network, for data of the scale that `encode` returns.
      encode: from the batch's pictures to what is diffused, `[B, H, W, C]` float: pixels in [-1, 1], a code.
      p_mean: mean of ln(sigma) in training.
      p_std: > 0, its standard deviation.
      label_dropout: in [0, 1], share of examples whose class is hidden, so that guidance has an unconditional model.
      axis: as in `core.descend`.
    """

    def init(key: Key, batch) -> Learner:
        size = len(batch["label"])
        return Learner.create(model.init(key, encode(batch["image"]), jnp.zeros(size), batch["label"]), tx)

    def loss(key: Key, params, extras, batch):
        sigma_key, label_key, noise_key, dropout_key = jax.random.split(key, 4)
        sigma = jnp.exp(p_mean + p_std * jax.random.normal(sigma_key, batch["label"].shape))
        label = drop_labels(label_key, batch["label"], rate=label_dropout, num_classes=model.num_classes)

        def errors(network):
            denoise = preconditioned(network, label, preconditioner=preconditioner)
            return denoising_errors(noise_key, denoise, encode(batch["image"]), sigma, preconditioner=preconditioner)

        losses, extras = forward(model, dropout_key, params, extras, method=errors)
        return {"loss": Mean.of(losses)}, extras

    return Algorithm(init, descend(loss, tx, axis))


def denoising_errors(
    key: Key, denoise: Denoiser, image: Array, sigma: Array, *, preconditioner: Preconditioner
) -> Array:
    """`[B]` weighted squared errors of a denoiser on freshly noised pictures.

    mean_pixels (D(y + sigma n; sigma) - y)^2 / c_out(sigma)^2,   n ~ N(0, I)

    With the preconditioner `karras`, a network that answers 0 has an error of 1 at every noise level, for data of
    standard deviation sigma_data.

    Args:
      key: consumed, by the noise.
      denoise: D, `(x [B, H, W, C], sigma [B]) -> [B, H, W, C]`.
      image: `[B, H, W, C]` clean pictures y.
      sigma: `[B]` > 0, noise levels.
      preconditioner: whose c_out sets the weights.
    Source: Karras et al. 2022, arXiv:2206.00364, eq. 2 and 8 with lambda = 1 / c_out^2.
    """
    noisy = image + _wide(sigma, image) * jax.random.normal(key, image.shape)
    return jnp.square((denoise(noisy, sigma) - image) / _wide(preconditioner(sigma).out, image)).mean((1, 2, 3))


def denoiser(model: nn.Module, variables: PyTree, label: Array, *, preconditioner: Preconditioner) -> Denoiser:
    """The trained network as a denoiser for given classes, as `preconditioned`.

    Args:
      model: the network F.
      variables: its flax collections.
      label: `[B]` classes, K for none.
      preconditioner: as in training.
    """
    return preconditioned(functools.partial(model.apply, variables), label, preconditioner=preconditioner)


def preconditioned(network: Callable[..., Array], label: Array, *, preconditioner: Preconditioner) -> Denoiser:
    """What a network makes of pictures of given classes, as a denoiser.

    D(x; sigma) = c_skip x + c_out F(c_in x; c_noise, label)

    Args:
      network: F, `(x [B, H, W, C], noise [B], label [B]) -> [B, H, W, C]`.
      label: `[B]` classes, K for none.
      preconditioner: of the network.
    Returns:
      `(x [B, H, W, C], sigma [] or [B]) -> [B, H, W, C]`.
    """

    def denoise(x, sigma):
        c = preconditioner(jnp.broadcast_to(sigma, label.shape))
        output = network(_wide(c.scale, x) * x, c.noise, label)
        return _wide(c.skip, x) * x + _wide(c.out, x) * output

    return denoise


def drop_labels(key: Key, label: Array, *, rate: float, num_classes: int) -> Array:
    """`[B]` labels, each replaced by `num_classes` ("none") with probability `rate`."""
    return jnp.where(jax.random.bernoulli(key, rate, label.shape), num_classes, label)


def _wide(x: Array, like: Array) -> Array:
    return x.reshape(x.shape + (1,) * (like.ndim - x.ndim))
