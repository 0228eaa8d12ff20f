"""Fidelity agrees with scikit-learn's neighbours, and is extreme where it should be."""

import jax.numpy as jnp
import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from adl.prob.fidelity import fidelity

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
