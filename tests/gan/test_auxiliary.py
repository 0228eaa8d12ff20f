"""The discriminator that names the class: what it is told, what both players pay, and that a class must be there."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput, jitted
from adl.gan.adversarial import Players, gan
from adl.gan.auxiliary import acgan
from adl.gan.dcgan import DCDiscriminator
from adl.gan.heads import Auxiliary
from adl.gan.networks import ConvDiscriminator, MLPDiscriminator, MLPGenerator

KEY = jax.random.key(0)
LABEL = np.arange(12) % 3
BATCH = {"x": np.random.default_rng(0).normal(size=(12, 2)).astype("f"), "label": LABEL}
STILL = Players(optax.set_to_zero(), optax.set_to_zero())
MODEL = Players(MLPGenerator((2,), (8,), 3, output=lambda x: x), MLPDiscriminator((8,), 3, head=Auxiliary))


def pick(key, batch):
    return batch["x"], batch["label"]


DISCS = {
    "mlp": MLPDiscriminator((16,), 3, head=Auxiliary),
    "conv": ConvDiscriminator(8, 3, head=Auxiliary),
    "dcgan": DCDiscriminator(8, 3, head=Auxiliary),
}


@pytest.mark.parametrize("kind", DISCS)
def test_it_is_told_no_class(kind):
    disc, x = DISCS[kind], jax.random.normal(KEY, (6, 8, 8, 1))
    answer, variables = disc.init_with_output(KEY, x, LABEL[:6])
    assert answer.shape == (6, 4) and answer.dtype == jnp.float32
    np.testing.assert_array_equal(answer, disc.apply(variables, x, 0 * LABEL[:6]))


def test_both_pay_for_classes_and_nothing_more_than_the_game_without():
    """The step's losses are those of weight 0 and the weighted surprise at the class, which is that of optax."""
    alg = {weight: acgan(MODEL, STILL, latent_dim=2, prepare=pick, weight=weight) for weight in (0.0, 2.0)}
    state = alg[0.0].init(KEY, BATCH)
    (_, none), (_, two) = (made.step(KEY, state, BATCH) for made in alg.values())
    assert float(none["also"].value) == 0
    assert float(two["loss"].value) == pytest.approx(float(none["loss"].value + two["also"].value), rel=1e-5)
    odds = MODEL.disc.apply(state.disc.variables, BATCH["x"], LABEL)[:, 1:]
    on_data = optax.losses.softmax_cross_entropy_with_integer_labels(odds, LABEL).mean()
    assert 0 < 2 * float(on_data) < float(two["also"].value)
    assert float(two["generator_loss"].value) > float(none["generator_loss"].value)


def test_a_discriminator_that_names_classes_wants_the_game_in_which_it_is_paid_for():
    with pytest.raises(AssertionError):
        alg = gan(MODEL, STILL, latent_dim=2, prepare=pick)
        alg.step(KEY, alg.init(KEY, BATCH), BATCH)


def test_one_class_cannot_be_named():
    with pytest.raises(BadInput, match="of 1 classes: there must be 2 or more"):
        Auxiliary(1).init(KEY, jnp.ones((2, 4)))


def test_the_discriminator_learns_which_class_is_where():
    """Beside the fakes of a generator that stands still, which are of any class anywhere."""
    x = (3.0 * LABEL - 3 + np.random.default_rng(0).normal(0, 0.1, 12)).astype("f")[:, None]
    model = Players(MLPGenerator((1,), (16,), 3, output=lambda x: x), MLPDiscriminator((32,), 3, head=Auxiliary))
    alg = jitted(acgan(model, STILL._replace(disc=optax.adam(1e-2)), latent_dim=2, prepare=pick))
    batch = {"x": x, "label": LABEL}
    state = alg.init(KEY, batch)
    for step in range(300):
        state, _ = alg.step(jax.random.fold_in(KEY, step), state, batch)
    odds = model.disc.apply(state.disc.variables, x, LABEL)[:, 1:]
    np.testing.assert_array_equal(odds.argmax(1), LABEL)
