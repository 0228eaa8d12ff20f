"""Pictures between two of one class: labels stay right, and where classes are convex they help."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adl.autoencoder.augmentation import Labelled, accuracy_of, augmented, gain, same_class_pairs
from adl.nn.mlp import MLP

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def test_pairs_are_of_one_class_and_all_are_drawn():
    label = jnp.asarray(np.arange(12) % 3)
    first, second, place = same_class_pairs(KEY, label, 2000)
    np.testing.assert_array_equal(label[first], label[second])
    assert {*np.asarray(first)} == {*np.asarray(second)} == {*range(12)}
    np.testing.assert_allclose([place.mean(), place.std()], [0.5, 12**-0.5], atol=0.02)
    alone = same_class_pairs(KEY, jnp.arange(4), 50)  # one of each class: with itself
    np.testing.assert_array_equal(alone[0], alone[1])


def test_what_is_generated_has_the_label_of_its_pair():
    real = Labelled(jnp.asarray(RNG.normal(size=(6, 2)), "float32"), jnp.arange(6) % 2)
    more = augmented(KEY, real, lambda i, j, t: real.x[i], 30)
    assert more.x.shape == (36, 2) and more.label.shape == (36,)
    for row, label in zip(more.x[6:], more.label[6:], strict=True):
        assert label in np.asarray(real.label)[(np.asarray(real.x) == np.asarray(row)).all(1)]


def points(num):
    label = np.arange(num) % 2
    return Labelled(jnp.asarray(RNG.normal(size=(num, 2)) + 4 * label[:, None], "float32"), jnp.asarray(label))


def test_a_classifier_learns_what_lies_apart():
    known, asked = points(40), points(200)
    got = jax.jit(lambda: accuracy_of(KEY, MLP((2,)), optax.adam(0.1), known, asked, num_steps=100))()
    assert got > 0.98
    wrong = Labelled(known.x, 1 - known.label)
    assert jax.jit(lambda: accuracy_of(KEY, MLP((2,)), optax.adam(0.1), wrong, asked, num_steps=100))() < 0.02


def test_a_decoder_that_knows_the_class_helps_and_one_that_lies_harms():
    """By a decoder that takes every code to the far end of its side of the plane, or of the other side."""
    known, asked = points(40), points(200)
    subsets = jnp.asarray([[0, 1], [2, 3], [4, 5]])
    found = {}
    for sign in (1, -1):
        probe = gain(
            lambda state, x: x,
            lambda state, z, sign=sign: 2 + sign * 3 * jnp.sign(z.sum(-1, keepdims=True) - 4) * jnp.ones(2)[None],
            MLP((2,)),
            optax.adam(0.1),
            known,
            asked,
            subsets=subsets,
            num_generated=40,
            num_steps=200,
        )
        found[sign] = {name: float(mean.value) for name, mean in jax.jit(lambda probe=probe: probe(KEY, ()))().items()}
    assert found[1]["generated"] > 0.95 and found[-1]["generated"] < 0.3
    assert found[1]["real"] == found[-1]["real"] and found[1]["pixels"] == found[-1]["pixels"]
    np.testing.assert_allclose(found[1]["gain"], found[1]["generated"] - found[1]["real"], atol=1e-6)
