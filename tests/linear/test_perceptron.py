"""The perceptron's mistakes are those of a plain loop, and never more than the bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.svm import SVC

from adl.core import jitted, repeated
from adl.linear.perceptron import mistake_bound, perceptron

KEY = jax.random.key(0)


def separable(seed, n=60, gap=0.15):
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.uniform(-1, 1, size=(4 * n, 2)), np.ones((4 * n, 1))], 1).astype("f")
    side = x @ np.array([1.0, -0.7, 0.2])
    keep = np.abs(side) > gap
    return x[keep][:n], (side[keep][:n] > 0).astype(int)


def widest(x, label):
    """The separator of the widest margin through the origin of x, whose last entry is 1, by scikit-learn.

    A support vector machine on x does not regularise its own intercept: mirroring the negatives removes it.
    """
    mirrored = np.concatenate([x, -x])
    machine = SVC(kernel="linear", C=1e6).fit(mirrored, np.concatenate([label, 1 - label]))
    return machine.coef_[0]


@pytest.mark.parametrize("seed", range(5))
def test_mistakes_stay_below_the_bound_and_are_those_of_a_loop(seed):
    x, label = separable(seed)
    passes = 100
    batches = {"x": np.tile(x, (passes, 1))[:, None], "label": np.tile(label, passes)[:, None]}
    alg = jitted(repeated(perceptron(), len(batches["x"])))
    weights, metrics = alg.step(KEY, alg.init(KEY, batches), batches)
    w, mistakes = np.zeros(3), 0
    for row, t in zip(np.tile(x, (passes, 1)), np.tile(2 * label - 1, passes), strict=True):
        if t * (w @ row) <= 0:
            w, mistakes = w + t * row, mistakes + 1
    np.testing.assert_allclose(weights, w, rtol=1e-4, atol=1e-4)
    assert metrics["loss"].total == mistakes
    bound = float(mistake_bound(x, label, jnp.asarray(widest(x, label), "float32")))
    assert 0 < mistakes <= bound < 1000
    assert ((x @ np.asarray(weights) > 0) == label).all()


def test_bound_is_infinite_where_nothing_is_separated():
    x, label = separable(0)
    assert mistake_bound(x, label, jnp.array([-1.0, 0.7, 0.0])) == jnp.inf
    short, long = (mistake_bound(x, label, scale * jnp.array([1.0, -0.7, 0.2])) for scale in (1, 10))
    np.testing.assert_allclose(short, long, rtol=1e-5)
