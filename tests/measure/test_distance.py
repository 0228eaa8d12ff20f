"""Distances are their formulas with SciPy and scikit-learn, and known where they are known."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel

from adl.measure.distance import frechet_distance, kernel_distance

RNG = np.random.default_rng(0)


def by_scikit_learn(x, y):
    x, y = np.float64(x), np.float64(y)
    n, m = len(x), len(y)
    xx, yy, xy = (polynomial_kernel(a, b, degree=3) for a, b in ((x, x), (y, y), (x, y)))  # (x . y / D + 1)^3
    return (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()


def test_kernel_distance_is_scikit_learn_s_kernel():
    for shift, scale in ((0, 1), (0.5, 2), (100, 1)):
        x, y = RNG.normal(size=(700, 6)).astype("f") + shift, (scale * RNG.normal(size=(40, 6)) + shift).astype("f")
        np.testing.assert_allclose(kernel_distance(x, y), by_scikit_learn(x, y), rtol=1e-4, atol=1e-5 * (1 + shift**2))


def test_kernel_distance_has_no_bias():
    """Of one distribution it is 0 in the mean, and half the time below; the biased one never is."""
    found = np.array([kernel_distance(*RNG.normal(size=(2, 20, 4)).astype("f")) for _ in range(200)])
    assert abs(found.mean()) < 3 * found.std() / 200**0.5 and 0.3 < (found < 0).mean() < 0.8


def test_is_the_formula_of_more_dimensions_than_samples():
    x, y = RNG.normal(size=(20, 50)), 0.5 + RNG.normal(size=(15, 50))
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    overlap = np.sqrt(np.linalg.eigvals(s @ t).real.clip(0)).sum()
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s + t) - 2 * overlap
    np.testing.assert_allclose(frechet_distance(x.astype("f"), y.astype("f")), expected, rtol=1e-3)


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


def test_of_several_seeds_at_once_it_is_that_of_each():
    """Two matrices of each of three seeds in one program: in a batch, on a few threads, they wait for each other."""
    x, y = RNG.normal(size=(3, 60, 24)).astype("f"), RNG.normal(size=(60, 24)).astype("f")

    def both(x):
        return jnp.stack([frechet_distance(x, y), frechet_distance(x[:, :9] + 1, y[:, :9]), frechet_distance(x[:9], y)])

    found = jax.jit(jax.vmap(both))(x)
    np.testing.assert_allclose(found, [both(one) for one in x], rtol=1e-3)
