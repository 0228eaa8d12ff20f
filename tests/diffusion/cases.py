"""Denoisers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from adl import autoencoder, data, diffusion
from adl.core import Algorithm, average_params
from adl.diffusion import denoising, latent, masked, missing, preconditioner, process, target, vdm
from adl.diffusion.sliced import sliced_errors
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


class OfCodes(nn.Module):
    """A code from a noisy one and its noise level."""

    @nn.compact
    def __call__(self, x, noise, nothing):
        return nn.Dense(x.shape[-1])(nn.tanh(nn.Dense(8)(jnp.concatenate([x, noise[:, None]], -1))))


def in_codes(axis: str | None) -> Algorithm:
    """A VAE of pictures, two steps of three, then diffusion of its codes."""
    model, tx = autoencoder.vae.perceptrons(2, (8,), 2 * 64), optax.adam(0.01)

    def rows(key, batch):
        return data.image.unit(batch["image"]).reshape(len(batch["image"]), -1)

    def code(key, learner, batch):
        return model.bind(learner.variables).encode(rows(key, batch)).sample(key)

    coder = autoencoder.vae.vae(model, tx, likelihood=autoencoder.vae.gaussian, prepare=rows, axis=axis)
    denoiser = diffusion.edm.edm(OfCodes(), tx, preconditioner=preconditioner.karras(1.0), axis=axis)
    return latent.latent_diffusion(coder, denoiser, code=code, periods=(2, 1), axis=axis)


class Words(nn.Module):
    """What each place holds, from all that is seen: the smallest network that fills in."""

    @nn.compact
    def __call__(self, token):
        seen = jax.nn.one_hot(token, 6).reshape(len(token), -1)
        return nn.Dense(token.shape[1] * 5)(nn.tanh(nn.Dense(8)(seen))).reshape(*token.shape, 5)


def texts(step: int) -> dict[str, np.ndarray]:
    return {"token": (np.arange(6)[None] + np.arange(16)[:, None] + step) % 5}


def fill_in(axis: str | None) -> Algorithm:
    """Masked diffusion of texts whose first token is known."""

    def prepare(key, batch):
        return batch["token"], jnp.ones_like(batch["token"], bool).at[..., 0].set(False)

    return masked.masked_diffusion(Words(), optax.adam(0.03), num_tokens=5, prepare=prepare, axis=axis)


def fill(axis: str | None) -> Algorithm:
    return missing.denoising_holes(missing.HoledMLP((16,)), optax.adam(0.01), scale=1.0, axis=axis)


FACTORIES = {"edm": denoise, "flow": match, "sliced": slice_, "vdm": vary}
CASES = {name: Case(make, images, "loss", is_deterministic=False) for name, make in FACTORIES.items()}
CASES["masked"] = Case(fill_in, texts, "loss", is_deterministic=False)
CASES["latent"] = Case(
    in_codes, lambda step: {"image": images(step)["image"]}, "autoencoder_loss", is_deterministic=False
)
CASES["denoising_holes"] = Case(fill, holed, "loss", is_deterministic=False)
