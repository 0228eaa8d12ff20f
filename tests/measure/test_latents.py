"""Arcs keep the law of their latents, and each class its own; what is moved is what was asked to be."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.measure.latents import arc, arithmetic, perturbed, prior, reconstructions, straight, traversal

KEY = jax.random.key(0)


def test_arc_goes_from_one_latent_to_another_of_the_same_law():
    """The examples are the latents themselves, beside their labels and the state."""

    def generate(state, z, label):
        return jnp.concatenate([z, label[:, None], jnp.full((len(z), 1), state)], 1)

    seen = arc(generate, 500, (0, 1, 2), num=5)(KEY, 7.0)
    assert seen["grid"].shape == (3, 5, 502)
    np.testing.assert_array_equal(seen["grid"][..., 500], np.repeat(np.arange(3)[:, None], 5, 1))
    assert (seen["grid"][..., 501] == 7).all()
    z = np.asarray(seen["grid"][..., :500])
    np.testing.assert_allclose(z.std(-1), 1, atol=0.15)  # four standard errors and more, at every angle
    np.testing.assert_allclose(z[:, 2], (z[:, 0] + z[:, 4]) / np.sqrt(2), atol=1e-5)
    assert abs(np.corrcoef(z[0, 0], z[0, 4])[0, 1]) < 0.2 and abs(np.corrcoef(z[0, 0], z[1, 0])[0, 1]) < 0.2
    np.testing.assert_allclose(seen["degrees"], [0, 22.5, 45, 67.5, 90], rtol=1e-6)


def test_reconstructions_stand_below_their_pictures():
    x = jnp.arange(12.0).reshape(3, 4)
    image = x.reshape(3, 2, 2, 1)
    probe = reconstructions(lambda state, x: x + state, lambda state, z: z.reshape(-1, 2, 2, 1), x, image)
    np.testing.assert_array_equal(probe(KEY, 1.0)["images"], jnp.stack([image, image + 1]))


def test_prior_is_standard_normal():
    z = prior(lambda state, z: z + state, 100, rows=4, cols=6)(KEY, 5.0)["images"]
    assert z.shape == (4, 6, 100)
    np.testing.assert_allclose([z.mean(), z.std()], [5, 1], atol=0.1)


def test_traversal_moves_the_two_latents_that_vary_most():
    """Of three latents the last varies most, then the first; the middle one stays as the first example has it."""
    x = np.random.default_rng(0).normal(size=(50, 3)) * [2, 0.1, 5]
    seen = traversal(lambda state, x: x, lambda state, z: z, jnp.asarray(x), limit=1.0, num=5)(KEY, ())
    ticks = np.linspace(-1, 1, 5)
    np.testing.assert_allclose(seen["ticks"], ticks)
    np.testing.assert_allclose(seen["images"][..., 2], np.tile(ticks, (5, 1)))
    np.testing.assert_allclose(seen["images"][..., 0], np.tile(-ticks[:, None], (1, 5)))  # rising upwards
    np.testing.assert_allclose(seen["images"][..., 1], x[0, 1], rtol=1e-6)


def test_the_straight_line_has_equal_steps_and_both_ends():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), "float32")
    seen = straight(lambda state, x: x + state, lambda state, z: z, x, num=5)(KEY, 1.0)["images"]
    assert seen.shape == (3, 5, 3)
    np.testing.assert_allclose(seen[:, 0], x[::2] + 1, rtol=1e-5)
    np.testing.assert_allclose(seen[:, -1], x[1::2] + 1, rtol=1e-5)
    np.testing.assert_allclose(np.diff(seen, 2, axis=1), 0, atol=1e-5)


def test_a_latent_is_moved_alone():
    x = np.random.default_rng(0).normal(size=(50, 3)) * [2, 0.1, 5]
    seen = perturbed(lambda state, x: x, lambda state, z: z, jnp.asarray(x, "float32"), limit=1.0, num=5, num_shown=2)
    seen = seen(KEY, ())
    np.testing.assert_array_equal(seen["latent"], [2, 0])
    want = np.tile(x[0], (2, 5, 1))
    want[0, :, 2] = want[1, :, 0] = np.linspace(-1, 1, 5)
    np.testing.assert_allclose(seen["images"], want, rtol=1e-5)


def test_a_class_is_exchanged_for_another():
    """Codes that are a place of the class and a style: the style stays; where codes say nothing, chance is left."""
    rng = np.random.default_rng(0)
    label = np.arange(60) % 3
    x = (np.eye(3)[label] * 10 + rng.normal(size=(60, 3)) * 0.1).astype("f")
    known, asked = (x[:45], label[:45], x[:45]), (x[45:], label[45:])
    seen = arithmetic(lambda state, x: x, lambda state, z: z, known, asked, num_classes=3)(KEY, ())
    assert seen["moved"].value == 1 and seen["moved"].count == 30 and seen["kept"].count == 15
    own = np.stack([x[45:][label[45:] == c][0] for c in range(3)])
    np.testing.assert_allclose(seen["images"][np.arange(3), np.arange(3)], own, rtol=1e-5)
    np.testing.assert_allclose(seen["images"][0, 1] - seen["images"][0, 0], [-10, 10, 0], atol=0.2)
    silent = arithmetic(lambda state, x: 0 * x, lambda state, z: z + 1, known, asked, num_classes=3)(KEY, ())
    assert silent["moved"].value < 0.4
