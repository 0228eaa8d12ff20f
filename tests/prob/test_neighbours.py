"""Nearest neighbours equal scikit-learn's, and the two-sample test says what it should at its extremes."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from adl.prob import neighbours

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype("f")
Y = (RNG.normal(size=(40, 3)) + 0.7).astype("f")


def test_distances_are_the_definition():
    expected = ((X[:, None] - Y[None]) ** 2).sum(-1)
    np.testing.assert_allclose(neighbours.squared_distances(X, Y), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dim", [1, 3, 40])
def test_distances_far_from_the_origin(dim):
    """And the answers that follow from them: those of the same numbers in float64."""
    x, y = (RNG.normal(size=(2, 50, dim)) + 1e4).astype("f")
    expected = ((x.astype(float)[:, None] - y.astype(float)[None]) ** 2).sum(-1)
    np.testing.assert_allclose(neighbours.squared_distances(x, y), expected, rtol=1e-4)
    labels = np.arange(50)
    got = neighbours.classify(jnp.asarray(x), jnp.asarray(y), jnp.asarray(labels), k=1, num_classes=50)
    np.testing.assert_array_equal(got, expected.argmin(1))


def test_distances_of_groups_far_apart():
    """Few dimensions: no middle would do for both."""
    x = np.array([[0.0, 0.0], [0.3, 0.1], [1e6, 1e6], [1e6 + 0.5, 1e6]], "f")
    expected = ((x.astype(float)[:, None] - x.astype(float)[None]) ** 2).sum(-1)
    np.testing.assert_allclose(neighbours.squared_distances(x, x), expected, rtol=1e-6)


def test_nan_is_of_no_class():
    x = jnp.array([[0.0], [jnp.nan], [jnp.inf], [3.0]])
    known = jnp.array([[jnp.nan], [0.1], [3.2]])
    for k, want in ((1, [1, -1, -1, 0]), (2, [0, -1, -1, 0]), (3, [-1] * 4)):
        got = neighbours.classify(x, known, jnp.array([2, 1, 0]), k=k, num_classes=3)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("k", [1, 3])
def test_classify_is_scikit_learn(k):
    labels = RNG.integers(0, 4, size=40)
    expected = KNeighborsClassifier(k).fit(Y, labels).predict(X)
    got = neighbours.classify(X, jnp.asarray(Y), jnp.asarray(labels), k=k, num_classes=4)
    np.testing.assert_array_equal(got, expected)
