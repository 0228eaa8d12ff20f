"""The Frechet distance equals the matrix square root of SciPy, and its closed forms; labellings, scikit-learn's."""

import jax.numpy as jnp
import numpy as np
from scipy.linalg import sqrtm
from sklearn import metrics

from adl.prob.information import contingency, frechet_distance, normalized_mutual_information, purity

RNG = np.random.default_rng(0)


def test_is_the_formula_with_scipy():
    x = RNG.normal(size=(60, 5)) @ RNG.normal(size=(5, 5))
    y = RNG.normal(size=(50, 5)) @ RNG.normal(size=(5, 5)) + 0.3
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    np.testing.assert_allclose(frechet_distance(x.astype("f"), y.astype("f")), expected, rtol=1e-4)


def test_shift_and_scale_in_closed_form():
    x = jnp.asarray(RNG.normal(size=(100, 3)), "float32")
    spread = jnp.var(x, axis=0, ddof=1).sum()
    np.testing.assert_allclose(frechet_distance(x, x), 0, atol=1e-4)
    np.testing.assert_allclose(frechet_distance(x, x + 2), 12, rtol=1e-5)
    centred = x - x.mean(0, keepdims=True)
    np.testing.assert_allclose(frechet_distance(centred, 3 * centred), 4 * spread, rtol=1e-4)


def test_survives_constant_pixels():
    x = jnp.asarray(RNG.normal(size=(50, 2)), "float32")
    padded = [jnp.pad(z, ((0, 0), (0, 2))) for z in (x, 2 * x + 1)]
    np.testing.assert_allclose(frechet_distance(*padded), frechet_distance(x, 2 * x + 1), rtol=1e-4)


def test_labellings_agree_as_scikit_learn_says():
    x = RNG.integers(0, 4, 200)
    for y in (RNG.integers(0, 6, 200), x, (x + 1) % 4, np.where(RNG.random(200) < 0.3, 5, x), np.zeros(200, int)):
        counts = contingency(jnp.asarray(x), jnp.asarray(y), num_x=5, num_y=6)  # class 4 never comes
        np.testing.assert_array_equal(counts[:, np.unique(y)][:4], metrics.cluster.contingency_matrix(x, y))
        want = metrics.normalized_mutual_info_score(x, y)
        np.testing.assert_allclose(normalized_mutual_information(counts), want, atol=1e-5)
        majority = [np.bincount(x[y == k]).argmax() if (y == k).any() else -1 for k in range(6)]
        np.testing.assert_allclose(purity(counts), (x == np.take(majority, y)).mean(), rtol=1e-6)
    one = contingency(jnp.zeros(5, int), jnp.ones(5, int), num_x=2, num_y=2)
    assert normalized_mutual_information(one) == 1.0
