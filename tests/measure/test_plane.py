"""Exact judgement of plane densities: closed forms of Gaussians, whatever constant their logarithm lacks."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from adl.data import toys
from adl.measure import plane

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (4000, 2))
LIMIT = 6.0


def log_normal(x, variance=1.0):
    return -jnp.square(x).sum(-1) / (2 * variance) - jnp.log(2 * jnp.pi * variance)


def gaussian(state, x):
    """Of variance `state`, up to a constant."""
    return -jnp.square(x).sum(-1) / (2 * state) + 123.0


def test_kl_of_gaussians_is_in_closed_form():
    """KL(N(0, I) || N(0, v I)) = 1 / v - 1 + log v in two dimensions, as an expectation over the test points."""
    probe = plane.likelihood(gaussian, X, log_normal(X), limit=LIMIT)
    for variance in (1.0, 2.0):
        seen = {name: float(mean.value) for name, mean in probe(KEY, jnp.asarray(variance)).items()}
        want = np.mean(log_normal(X) - log_normal(X, variance))
        np.testing.assert_allclose(seen["kl"], want, atol=2e-3 if variance == 2 else 1e-5)  # of 2, 1e-3 lies outside
        np.testing.assert_allclose(want, 1 / variance - 1 + np.log(variance), atol=0.03)
        np.testing.assert_allclose(seen["nll"], seen["entropy"] + seen["kl"], rtol=1e-5)
    np.testing.assert_allclose(seen["entropy"], np.log(2 * np.pi * np.e), atol=0.05)


def test_map_is_the_density_where_the_truth_has_some():
    log_true = log_normal(plane.places(LIMIT), 0.25)
    points = plane.density_map(gaussian, log_true, limit=LIMIT, points=lambda state: X, num_points=7)
    seen = points(KEY, jnp.asarray(0.25))
    assert seen["points"].shape == (7, 2)
    cell = (2 * LIMIT / plane.CELLS) ** 2
    np.testing.assert_allclose([seen[name].sum() * cell for name in ("true", "learned")], 1, rtol=1e-4)
    inside = np.square(plane.places(LIMIT)).sum(-1).reshape(plane.CELLS, -1) < 2 * plane.WITHIN * 0.25 - 0.01
    np.testing.assert_allclose(seen["log_ratio"][inside], 0, atol=1e-4)
    assert np.isnan(seen["log_ratio"][~inside]).mean() > 0.99


def test_truth_of_a_toy_is_its_mixture():
    draw = toys.eight_gaussians
    x, _ = draw(KEY, 50, noise=0.2)
    angle = np.arange(8) * np.pi / 4
    means = 2 * np.stack([np.cos(angle), np.sin(angle)], -1)
    squared = np.square(np.asarray(x)[:, None] - means).sum(-1)
    want = np.log(np.exp(-squared / (2 * 0.04)).mean(1) / (2 * np.pi * 0.04))
    np.testing.assert_allclose(plane.truth(draw, x, noise=0.2), want, atol=1e-3)


def test_truth_of_the_whole_plane_is_that_of_its_places():
    some = np.random.default_rng(0).permutation(plane.CELLS**2)[:200]  # of a toy that is the same in no mirror
    seen = plane.truth_map(toys.two_moons, LIMIT, noise=0.2, num_exact=300)
    want = plane.truth(toys.two_moons, plane.places(LIMIT)[some], noise=0.2, num_exact=300)
    assert seen.shape == (plane.CELLS**2,)
    np.testing.assert_allclose(seen[some], want, rtol=1e-4, atol=1e-3)
    assert np.isneginf(plane.truth_map(toys.two_moons, LIMIT, noise=0.02, num_exact=8)).any()


def test_kernel_density_of_the_best_bandwidth_is_scikit_learns():
    centers, x, widths = X[:300], X[300:1300], [0.05, 0.3, 1.5]
    seen = plane.kernel_density(centers, x, log_normal(x), bandwidths=widths)(KEY, ())
    split = [(np.arange(300), np.arange(300, 1300))]
    search = GridSearchCV(KernelDensity(), {"bandwidth": widths}, cv=split, refit=False).fit(X[:1300])
    np.testing.assert_allclose(seen["nll"].value, -search.best_score_ / 1000, rtol=1e-4)
    np.testing.assert_allclose(seen["kl"].value, seen["nll"].value + log_normal(x).mean(), rtol=1e-3)
