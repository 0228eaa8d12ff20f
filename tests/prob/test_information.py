"""Entropies and informations are SciPy's, scikit-learn's, and their integrals."""

import jax.numpy as jnp
import numpy as np
from scipy import special, stats
from sklearn import metrics
from sklearn.feature_selection import mutual_info_regression

from adl.measure.clustering import contingency
from adl.prob.continuous import Laplace, Normal
from adl.prob.information import (
    entropy,
    kl,
    monte_carlo_kl,
    mutual_information,
    neighbour_entropy,
    neighbour_mutual_information,
    total_variation,
)

RNG = np.random.default_rng(0)


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


def test_total_variation_is_the_largest_difference_of_an_event():
    p, q = RNG.dirichlet(np.ones(5), size=2)
    events = (np.arange(32)[:, None] >> np.arange(5)) & 1
    np.testing.assert_allclose(total_variation(jnp.asarray(p), jnp.asarray(q)), (events @ (p - q)).max(), rtol=1e-5)
    grid = np.linspace(-8, 8, 1601)
    densities = [jnp.asarray(stats.norm(mean).pdf(grid)) for mean in (0, 1)]
    want = 2 * stats.norm.cdf(0.5) - 1
    np.testing.assert_allclose(total_variation(*densities, grid[1] - grid[0]), want, rtol=1e-4)
