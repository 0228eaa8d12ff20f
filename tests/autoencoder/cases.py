"""Autoencoders of pictures: variational of binary ones, deterministic, conditional, quantised."""

import functools
from collections.abc import Callable

import jax
import optax
from flax import linen as nn

from adl import data
from adl.autoencoder import deterministic as ae
from adl.autoencoder.conditional import conditional_perceptrons, conditional_vae, of_class
from adl.autoencoder.dreg import dreg
from adl.autoencoder.linear import LinearVAE, linear_vae
from adl.autoencoder.missing import holed_perceptrons, miwae
from adl.autoencoder.quantised import VQVAE, Codebook, vq_vae
from adl.autoencoder.vae import bernoulli, beta_vae, iwae, perceptrons, vae
from adl.core import Algorithm
from adl.nn.mlp import MLP
from tests.case import Case, holed, images


def flat(key: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
    return data.image.unit(batch["image"]).reshape(len(batch["image"]), -1)


def autoencode(make: Callable, axis: str | None, **options) -> Algorithm:
    return make(perceptrons(2, (16,), 64), optax.adam(0.01), likelihood=bernoulli, prepare=flat, axis=axis, **options)


def code(make: Callable, axis: str | None, last: Callable = lambda z: z, **options) -> Algorithm:
    model = ae.Autoencoder(nn.Sequential([MLP((16, 4)), last]), MLP((16, 64)))
    return make(model, optax.adam(0.01), prepare=flat, axis=axis, **options)


def rare(axis: str | None) -> Algorithm:
    return code(ae.sparse_autoencoder, axis, nn.sigmoid, penalty=ae.rare_activations(1.0, 0.2, axis))


def told(key: jax.Array, batch: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    return flat(key, batch), of_class(batch["label"], 2)


def conditional(axis: str | None) -> Algorithm:
    model = conditional_perceptrons(2, (16,), 64)
    return conditional_vae(model, optax.adam(0.01), likelihood=bernoulli, prepare=told, axis=axis)


def quantised(axis: str | None) -> Algorithm:
    places = nn.Sequential([MLP((16, 8)), lambda h: h.reshape(len(h), 4, 2)])
    back = nn.Sequential([lambda z: z.reshape(len(z), -1), MLP((16, 64))])
    prior = nn.Sequential([nn.Embed(6, 4), nn.Dense(5)])  # of each pair of neighbours
    more = {"num_codes": 5, "likelihood": bernoulli, "prepare": flat, "axis": axis}
    return vq_vae(VQVAE(places, Codebook(5, axis=axis), back), optax.adam(0.01), prior=prior, **more)


def linear(axis: str | None) -> Algorithm:
    return linear_vae(LinearVAE(2), optax.adam(0.01), prepare=flat, axis=axis)


def filled(axis: str | None) -> Algorithm:
    return miwae(holed_perceptrons(1, (8,), 2), optax.adam(0.01), num_samples=3, ridge=0.01, axis=axis)


def case(make: Callable, **options) -> Case:
    return Case(functools.partial(autoencode, make, **options), images, "loss", is_deterministic=False)


CASES = {
    "vae": case(vae),
    "beta_vae": case(beta_vae, beta=2.0),
    "iwae": case(iwae, num_samples=3),
    "dreg": case(dreg, num_samples=3, num_backward=2),
    "conditional_vae": Case(conditional, images, "loss", is_deterministic=False),
    "linear_vae": Case(linear, images, "loss"),
    "autoencoder": Case(functools.partial(code, ae.autoencoder), images, "loss"),
    "denoising_autoencoder": Case(
        functools.partial(code, ae.denoising_autoencoder, corrupt=ae.masking(0.2)),
        images,
        "loss",
        is_deterministic=False,
    ),
    "sparse_autoencoder": Case(rare, images, "loss"),
    "miwae": Case(filled, holed, "loss", is_deterministic=False),
    "vq_vae": Case(quantised, images, "loss"),
}
