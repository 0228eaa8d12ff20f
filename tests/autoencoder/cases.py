"""Variational autoencoders of binary pictures."""

import functools
from collections.abc import Callable

import jax
import optax

from adl import data
from adl.autoencoder.dreg import dreg
from adl.autoencoder.vae import bernoulli, beta_vae, iwae, perceptrons, vae
from adl.core import Algorithm
from tests.case import Case, images


def flat(key: jax.Array, batch: dict[str, jax.Array]) -> jax.Array:
    return data.image.unit(batch["image"]).reshape(len(batch["image"]), -1)


def autoencode(make: Callable, axis: str | None, **options) -> Algorithm:
    return make(perceptrons(2, (16,), 64), optax.adam(0.01), likelihood=bernoulli, prepare=flat, axis=axis, **options)


def case(make: Callable, **options) -> Case:
    return Case(functools.partial(autoencode, make, **options), images, "loss", is_deterministic=False)


CASES = {
    "vae": case(vae),
    "beta_vae": case(beta_vae, beta=2.0),
    "iwae": case(iwae, num_samples=3),
    "dreg": case(dreg, num_samples=3, num_backward=2),
}
