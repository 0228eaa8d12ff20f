"""Fidelity agrees with scikit-learn's neighbours, is extreme where it should be, and counts modes by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from adl.prob.fidelity import fidelity, mode_coverage, rounded, two_sample_test

RNG = np.random.default_rng(0)
LABEL = np.arange(60) % 3
REFERENCE = (RNG.normal(size=(60, 2, 2, 1)) + LABEL[:, None, None, None]).astype("f")


def judged(samples):
    return fidelity(jnp.asarray(samples), jnp.asarray(REFERENCE), jnp.asarray(LABEL), num_classes=3)


def test_classes_and_neighbours_are_scikit_learn_s():
    samples = (RNG.normal(size=REFERENCE.shape) + LABEL[:, None, None, None]).astype("f")
    ours, known = judged(samples), REFERENCE.reshape(60, -1)
    theirs = KNeighborsClassifier(3).fit(known, LABEL)
    expected = theirs.score(samples.reshape(60, -1), LABEL)
    assert 0.4 < expected < 1
    np.testing.assert_allclose(ours["class_accuracy"].value, expected, rtol=1e-6)
    nearest = theirs.kneighbors(samples.reshape(60, -1), 1, return_distance=False)[:, 0]
    np.testing.assert_array_equal(ours["nearest"], REFERENCE[nearest])


def test_copies_and_strangers():
    copies, strangers = judged(REFERENCE + 1e-4), judged(REFERENCE + 100)
    assert (copies["two_sample_accuracy"].value, strangers["two_sample_accuracy"].value) == (0, 1)
    np.testing.assert_array_equal(copies["nearest"], REFERENCE)
    assert copies["frechet"].value < 0.01 < strangers["frechet"].value


def test_rounded_is_the_nearest_level():
    levels = jnp.array([0.0, 0.25, 1.0])
    x = jnp.array([-1.0, 0.1, 0.2, 0.6, 0.7, 2.0])
    np.testing.assert_array_equal(rounded(x, levels), levels[jnp.abs(x[:, None] - levels[None]).argmin(1)])


def test_the_probe_draws_for_each_image_of_its_class():
    """A sampler that copies, with noise of less than half a level: rounding takes it away, and copies are seen."""
    levels = np.round(3 * REFERENCE) / 3

    def draw(key, state, label):
        np.testing.assert_array_equal(label, LABEL)
        return jnp.asarray(levels) + state * jax.random.uniform(key, levels.shape, minval=-1, maxval=1)

    seen = two_sample_test(draw, levels, LABEL, num_shown=25)(jax.random.key(0), 0.15)
    assert seen["two_sample_accuracy"].value == 0 and seen["grid"].shape == (3, 25, 2, 2, 1)
    np.testing.assert_allclose(seen["grid"], seen["nearest"], atol=1e-6)
    np.testing.assert_allclose(seen["grid"][1, :20], levels[LABEL == 1], atol=1e-6)
    np.testing.assert_allclose(seen["grid"][1, 20:], levels[LABEL == 1][:5], atol=1e-6)  # from the start again


def test_mode_coverage_by_hand():
    """Of three modes one has two samples near, one has one, one has none; two samples are near nothing."""
    modes = jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    samples = jnp.array([[0.3, 0.0], [0.0, -0.4], [4.0, 0.49], [0.0, 3.4], [9.0, 9.0]])
    for needed, covered in ((1, 2), (2, 1), (3, 0)):
        seen = mode_coverage(samples, modes, radius=0.5, num_needed=needed)
        assert float(seen["modes"].value) == covered
        np.testing.assert_array_equal(seen["counts"], [2, 1, 0])
        np.testing.assert_allclose(seen["quality"].value, 3 / 5, rtol=1e-6)


def test_mode_coverage_of_the_mixture_itself():
    """Within 3 standard deviations in the plane lies 1 - exp(-9/2) of a Gaussian."""
    modes = jnp.asarray(np.stack(np.meshgrid([-2, 0, 2], [-2, 0, 2]), -1).reshape(-1, 2), jnp.float32)
    samples = jnp.repeat(modes, 1000, 0) + jnp.asarray(RNG.normal(0, 0.1, (9000, 2)), jnp.float32)
    seen = mode_coverage(samples, modes, radius=0.3, num_needed=900)
    assert float(seen["modes"].value) == 9
    np.testing.assert_allclose(seen["quality"].value, 1 - np.exp(-4.5), atol=0.004)
