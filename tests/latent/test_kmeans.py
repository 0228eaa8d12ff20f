"""Lloyd's steps, held to scikit-learn's."""

import warnings

import jax
import numpy as np
import pytest
from sklearn import cluster
from sklearn.exceptions import ConvergenceWarning

from adl.core import jitted
from adl.latent.kmeans import kmeans, settled

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(500, 4)).astype("f") + 100  # no clusters, far from the origin


@pytest.mark.parametrize("num_steps", [1, 5, 200])
def test_steps_are_scikit_learns(num_steps):
    alg = jitted(kmeans(7))
    centres = start = alg.init(KEY, {"x": X})
    start = np.array(start)
    for _ in range(num_steps):
        centres, metrics = alg.step(KEY, centres, {"x": X})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = cluster.KMeans(7, init=start.astype(float), n_init=1, max_iter=num_steps, tol=0).fit(X.astype(float))
    np.testing.assert_allclose(centres, theirs.cluster_centers_, atol=1e-4)
    _, metrics = alg.step(KEY, centres, {"x": X})
    np.testing.assert_allclose(metrics["loss"].value, theirs.inertia_ / len(X), rtol=1e-5)


def test_a_start_is_so_many_steps_from_k_means_plus_plus():
    alg, batch = kmeans(3), {"x": X}
    centres = alg.init(jax.random.split(KEY)[0], batch)
    np.testing.assert_allclose(settled(3, 0)(KEY, batch), centres)
    for _ in range(4):
        centres, _ = alg.step(KEY, centres, batch)
    np.testing.assert_allclose(settled(3, 4)(KEY, batch), centres, rtol=1e-6)


def test_a_centre_without_points_stays():
    start = np.array([[100, 100, 100, 100], [-50, 0, 0, 0]], "f")
    centres, _ = kmeans(2).step(KEY, start, {"x": X})
    np.testing.assert_allclose(centres[0], X.mean(0), rtol=1e-5)
    np.testing.assert_allclose(centres[1], start[1])


def test_weights_are_repetitions():
    count = np.random.default_rng(2).integers(0, 3, 500)
    start = X[:6]
    weighted, one = kmeans(6).step(KEY, start, {"x": X, "mask": count.astype("f")})
    repeated, two = kmeans(6).step(KEY, start, {"x": X.repeat(count, 0)})
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)
    np.testing.assert_allclose(one["loss"].value, two["loss"].value, rtol=1e-5)
