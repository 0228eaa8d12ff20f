"""Labellings agree as scikit-learn says."""

import jax.numpy as jnp
import numpy as np
from sklearn import metrics

from adl.measure.clustering import contingency, normalized_mutual_information, purity

RNG = np.random.default_rng(0)


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
