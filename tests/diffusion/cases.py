"""Denoisers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl import data, diffusion
from adl.core import Algorithm, average_params
from tests.case import Case, images


class Conditioned(nn.Module):
    """A picture from a noisy one, its noise level and its class: the smallest denoiser."""

    num_classes: int

    @nn.compact
    def __call__(self, x, noise, label):
        given = jnp.concatenate([noise[:, None], jax.nn.one_hot(label, self.num_classes)], -1)
        return nn.Dense(x.shape[-1])(x) + nn.Dense(x[0].size)(nn.tanh(nn.Dense(8)(given))).reshape(x.shape)


def denoise(axis: str | None) -> Algorithm:
    tx = optax.chain(optax.adam(0.01), average_params(0.9))
    return diffusion.edm(
        Conditioned(2), tx, preconditioner=diffusion.preconditioner.karras(0.5), encode=data.image.symmetric, axis=axis
    )


CASES = {"edm": Case(denoise, images, "loss", is_deterministic=False)}
