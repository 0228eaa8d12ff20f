"""Two perceptrons that are told the class; the discriminator learns faster, so that at first its loss falls."""

import functools
from collections.abc import Callable

import optax

from adl import data, gan
from adl.core import Algorithm, average_params
from adl.nn.spectral import SpectralNorm
from tests.case import Case, images


def game(make: Callable, axis: str | None, *, wrap: Callable = gan.networks.bare, **options) -> Algorithm:
    return make(
        gan.Players(gan.MLPGenerator((8, 8, 1), (16,), 2), gan.MLPDiscriminator((16,), 2, wrap)),
        gan.Players(optax.chain(optax.adam(1e-4), average_params(0.9)), optax.adam(0.01)),
        latent_dim=2,
        prepare=lambda key, batch: (data.image.symmetric(batch["image"]), batch["label"]),
        axis=axis,
        **options,
    )


def case(make: Callable, **options) -> Case:
    return Case(functools.partial(game, make, **options), images, "loss", is_deterministic=False)


CASES = {
    "gan, non-saturating, R1": case(gan.gan, penalties=(gan.penalty.r1(0.1),)),
    "gan, hinge, spectral norm": case(gan.gan, objective=gan.objective.hinge, wrap=SpectralNorm),
    "wgan_gp": case(gan.wgan_gp, n_critic=2),
}
