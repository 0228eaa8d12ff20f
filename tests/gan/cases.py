"""Two perceptrons that are told the class; the discriminator learns faster, so that at first its loss falls."""

import functools
from collections.abc import Callable

import optax

from adl import data
from adl.core import Algorithm, average_params
from adl.gan import adversarial, networks, objective, penalty
from adl.nn.spectral import SpectralNorm
from tests.case import Case, images


def game(make: Callable, axis: str | None, *, wrap: Callable = networks.bare, **options) -> Algorithm:
    return make(
        adversarial.Players(networks.MLPGenerator((8, 8, 1), (16,), 2), networks.MLPDiscriminator((16,), 2, wrap)),
        adversarial.Players(optax.chain(optax.adam(1e-4), average_params(0.9)), optax.adam(0.01)),
        latent_dim=2,
        prepare=lambda key, batch: (data.image.symmetric(batch["image"]), batch["label"]),
        axis=axis,
        **options,
    )


def case(make: Callable, **options) -> Case:
    return Case(functools.partial(game, make, **options), images, "loss", is_deterministic=False)


CASES = {
    "gan, non-saturating, R1": case(adversarial.gan, penalties=(penalty.r1(0.1),)),
    "gan, hinge, spectral norm": case(adversarial.gan, objective=objective.hinge, wrap=SpectralNorm),
    "wgan_gp": case(adversarial.wgan_gp, n_critic=2),
}
