"""Denoisers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl import data, diffusion
from adl.core import Algorithm, average_params
from adl.diffusion import denoising, preconditioner, process, target, vdm
from adl.diffusion.sliced import sliced_errors
from tests.case import Case, images

PREPARE = denoising.labelled(data.image.symmetric, num_classes=2)


class Conditioned(nn.Module):
    """A picture from a noisy one, its noise level and its class: the smallest denoiser."""

    num_classes: int

    @nn.compact
    def __call__(self, x, noise, label):
        given = jnp.concatenate([noise[:, None], jax.nn.one_hot(label, self.num_classes)], -1)
        return nn.Dense(x.shape[-1])(x) + nn.Dense(x[0].size)(nn.tanh(nn.Dense(8)(given))).reshape(x.shape)


def denoise(axis: str | None) -> Algorithm:
    tx = optax.chain(optax.adam(0.01), average_params(0.9))
    return diffusion.edm.edm(Conditioned(2), tx, preconditioner=preconditioner.karras(0.5), prepare=PREPARE, axis=axis)


def match(axis: str | None) -> Algorithm:
    """Flow matching."""
    of = {"process": process.straight, "target": target.velocity, "levels": denoising.uniform()}
    return denoising.denoising(Conditioned(2), optax.adam(0.01), **of, prepare=PREPARE, axis=axis)


def slice_(axis: str | None) -> Algorithm:
    """Sliced score matching."""
    of = {"process": process.cosine, "target": target.angular, "levels": denoising.uniform(), "errors": sliced_errors()}
    return denoising.denoising(Conditioned(2), optax.adam(0.01), **of, prepare=PREPARE, axis=axis)


class Levels(nn.Module):
    """The same of levels, without a class."""

    @nn.compact
    def __call__(self, seen, time, condition):
        pixel = nn.Dense(1)(seen)
        return pixel + nn.Dense(pixel[0].size)(nn.tanh(nn.Dense(8)(time[:, None]))).reshape(pixel.shape)


def vary(axis: str | None) -> Algorithm:
    """Variational diffusion of 5 levels."""
    model = vdm.VDM(Levels(), vdm.Schedule(-4.0, 4.0, hidden=4), 5)

    def prepare(key, batch):
        return data.image.level_of(batch["image"], levels=5), None

    return vdm.vdm(model, optax.adam(0.02), prepare=prepare, axis=axis)


FACTORIES = {"edm": denoise, "flow": match, "sliced": slice_, "vdm": vary}
CASES = {name: Case(make, images, "loss", is_deterministic=False) for name, make in FACTORIES.items()}
