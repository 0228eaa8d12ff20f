"""Starts of k-means, held to scikit-learn's."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats
from sklearn import cluster

from adl.prob.clusters import plus_plus

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(500, 4)).astype("f") + 100  # no clusters, far from the origin


def test_start_is_as_good_as_scikit_learns():
    """The sum of squares that 300 starts leave: the same distribution as theirs, and better than any points."""
    x = np.random.default_rng(1).normal(size=(300, 2)).astype("f")

    def left(centres):
        return ((x[:, None] - np.asarray(centres)[None]) ** 2).sum(-1).min(1).sum()

    keys = jax.random.split(KEY, 300)
    ours = [left(c) for c in jax.jit(jax.vmap(lambda key: plus_plus(key, x, jnp.ones(300), 8)))(keys)]
    theirs = [left(cluster.kmeans_plusplus(x, 8, random_state=seed)[0]) for seed in range(300)]
    plain = [left(cluster.kmeans_plusplus(x, 8, random_state=seed, n_local_trials=1)[0]) for seed in range(300)]
    assert stats.ks_2samp(ours, theirs).pvalue > 1e-3
    assert stats.ks_2samp(ours, plain).pvalue < 1e-6, "the test must see another number of trials"


def test_start_takes_weighted_points_only():
    weight = np.zeros(500, "f")
    weight[[3, 50, 499]] = [1, 2, 3]
    for key in jax.random.split(KEY, 20):
        centres = np.asarray(plus_plus(key, X, weight, 3))
        assert {tuple(c) for c in centres} == {tuple(x) for x in X[[3, 50, 499]]}
    assert np.isfinite(plus_plus(KEY, np.ones((5, 2), "f"), jnp.ones(5), 3)).all()  # fewer points than centres
