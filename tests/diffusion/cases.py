"""Denoisers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl import data, diffusion
from adl.core import Algorithm, average_params
from adl.diffusion import denoising, missing, preconditioner, process, target
from tests.case import Case, holed, images

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


def fill(axis: str | None) -> Algorithm:
    return missing.denoising_holes(missing.HoledMLP((16,)), optax.adam(0.01), scale=1.0, axis=axis)


CASES = {name: Case(make, images, "loss", is_deterministic=False) for name, make in (("edm", denoise), ("flow", match))}
CASES["denoising_holes"] = Case(fill, holed, "loss", is_deterministic=False)
