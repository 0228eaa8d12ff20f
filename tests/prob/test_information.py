"""The Frechet distance equals the matrix square root of SciPy, and its closed forms; labellings, scikit-learn's."""

import jax.numpy as jnp
import numpy as np
from scipy import special, stats
from scipy.linalg import sqrtm
from sklearn import metrics
from sklearn.feature_selection import mutual_info_regression

from adl.prob.continuous import Laplace, Normal
from adl.prob.information import (
    contingency,
    entropy,
    frechet_distance,
    kl,
    monte_carlo_kl,
    mutual_information,
    neighbour_entropy,
    neighbour_mutual_information,
    normalized_mutual_information,
    purity,
)

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


def test_tables_are_scipys():
    p, q = RNG.dirichlet(np.ones(6), size=2)
    np.testing.assert_allclose(entropy(jnp.asarray(p)), stats.entropy(p), rtol=1e-5)
    np.testing.assert_allclose(kl(jnp.asarray(p), jnp.asarray(q)), special.rel_entr(p, q).sum(), rtol=1e-4)
    sparse = jnp.array([0.5, 0.5, 0.0])
    assert kl(sparse, jnp.array([1.0, 0.0, 0.0])) == np.inf and kl(sparse, sparse) == 0
    x, y = RNG.integers(0, 3, (2, 100))
    counts = contingency(jnp.asarray(x), jnp.asarray((x + (y > 1)) % 3), num_x=3, num_y=3)
    want = metrics.mutual_info_score(x, (x + (y > 1)) % 3)
    np.testing.assert_allclose(mutual_information(counts / counts.sum()), want, rtol=1e-4)


def test_kl_from_draws_is_the_integral():
    """Of a Laplace from a normal: -log 2 - 1 + log(2 pi s^2) / 2 + (2 + m^2) / (2 s^2)."""
    p, q = Laplace(jnp.float32(0), jnp.float32(1)), Normal(jnp.float32(0.3), jnp.float32(1.2))
    want = -np.log(2) - 1 + 0.5 * np.log(2 * np.pi * 1.44) + 2.09 / 2.88
    x = jnp.asarray(RNG.laplace(size=20000), "float32")
    values = np.asarray([monte_carlo_kl(p.log_prob, q.log_prob, part).value for part in x.reshape(20, -1)])
    assert abs(values.mean() - want) < 4 * values.std() / np.sqrt(20) < 0.2 * want
    assert (values >= 0).all()
    assert monte_carlo_kl(p.log_prob, p.log_prob, x).value == 0


def test_entropy_from_neighbours_is_the_closed_form():
    x = RNG.normal(size=(1500, 2)) @ [[2.0, 1.0], [0.0, 0.5]]
    want = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * np.array([[4.0, 2.0], [2.0, 1.25]]))[1]
    for k in (1, 3):
        np.testing.assert_allclose(neighbour_entropy(jnp.asarray(x, "float32"), k=k), want, atol=0.12)


def test_mutual_information_from_neighbours_is_scikit_learns():
    x = RNG.normal(size=500)
    y = 0.8 * x + 0.6 * RNG.normal(size=500)
    x, y = x / x.std(), y / y.std()  # it divides by the deviations, too
    want = mutual_info_regression(x[:, None], y, n_neighbors=3, random_state=0)[0]
    got = neighbour_mutual_information(*(jnp.asarray(v[:, None], "float32") for v in (x, y)), k=3)
    np.testing.assert_allclose(got, want, atol=0.01)
    np.testing.assert_allclose(got, -0.5 * np.log(1 - 0.64), atol=0.15)
