"""Players that are told the class, or name it, or translate; judges learn faster, so that at first their loss falls."""

import functools
from collections.abc import Callable

import optax

from adl import data
from adl.core import Algorithm, average_params
from adl.gan import adversarial, auxiliary, cycle, dcgan, heads, networks, objective, penalty, translators
from adl.nn.spectral import SpectralNorm
from tests.case import Case, images

TX = adversarial.Players(optax.chain(optax.adam(1e-4), average_params(0.9)), optax.adam(0.01))


def labelled(key, batch):
    return data.image.symmetric(batch["image"]), batch["label"]


def game(make: Callable, axis: str | None, *, wrap: Callable = networks.bare, **options) -> Algorithm:
    return make(
        adversarial.Players(networks.MLPGenerator((8, 8, 1), (16,), 2), networks.MLPDiscriminator((16,), 2, wrap)),
        TX,
        latent_dim=2,
        prepare=labelled,
        axis=axis,
        **options,
    )


def case(make: Callable, **options) -> Case:
    return Case(functools.partial(game, make, **options), images, "loss", is_deterministic=False)


def told_by_a_class(axis: str | None) -> Algorithm:
    """The class is named by the discriminator, not told to it."""
    disc = networks.MLPDiscriminator((16,), 2, head=heads.Auxiliary)
    model = adversarial.Players(networks.MLPGenerator((8, 8, 1), (16,), 2), disc)
    return auxiliary.acgan(model, TX, latent_dim=2, prepare=labelled, penalties=(penalty.r1(0.1),), axis=axis)


def by_batch_statistics(axis: str | None) -> Algorithm:
    """Both players normalise by the batch, which under pmap is that of all devices."""
    model = dcgan.deep_convolutions((8, 8, 1), 8, 2, axis=axis)
    return adversarial.gan(model, TX, latent_dim=2, prepare=labelled, axis=axis)


def there_and_back(axis: str | None) -> Algorithm:
    """From pictures to their negatives; nothing is drawn."""

    def prepare(key, batch):
        x = data.image.symmetric(batch["image"])
        return x, -x

    model = translators.perceptron_pairs((16,))
    return cycle.cyclegan(model, TX, prepare=prepare, penalties=(penalty.r1(0.1),), axis=axis)


CASES = {
    "gan, non-saturating, R1": case(adversarial.gan, penalties=(penalty.r1(0.1),)),
    "gan, hinge, spectral norm": case(adversarial.gan, objective=objective.hinge, wrap=SpectralNorm),
    "wgan_gp": case(adversarial.wgan_gp, n_critic=2),
    "dcgan": Case(by_batch_statistics, images, "loss", is_deterministic=False),
    "acgan": Case(told_by_a_class, images, "loss", is_deterministic=False),
    "cyclegan": Case(there_and_back, images, "loss"),
}
