"""Nearest neighbours equal scikit-learn's, and the two-sample test says what it should at its extremes."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_score
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


def test_two_sample_accuracy_is_leave_one_out():
    both, source = np.concatenate([X, Y]), np.repeat([0, 1], 40)
    expected = cross_val_score(KNeighborsClassifier(1), both, source, cv=LeaveOneOut()).mean()
    assert 0.5 < expected < 0.95
    np.testing.assert_allclose(neighbours.two_sample_accuracy(jnp.asarray(X), jnp.asarray(Y)), expected, rtol=1e-6)


def test_two_sample_accuracy_at_its_extremes():
    x = jnp.asarray(X)
    assert neighbours.two_sample_accuracy(x, x + 100) == 1
    assert neighbours.two_sample_accuracy(x, x + 1e-3) == 0
    more = jnp.asarray(RNG.normal(size=(2, 1000, 3)).astype("f"))
    assert abs(neighbours.two_sample_accuracy(*more) - 0.5) < 0.05
