"""Labellings agree as scikit-learn says."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats
from sklearn import metrics

from adl import data
from adl.measure import clustering
from adl.measure.clustering import contingency, normalized_mutual_information, purity, soft_clustering

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


def test_a_mixture_is_judged_as_scipy_and_scikit_learn_judge_it(monkeypatch):
    """In batches that do not divide the points; also where the joint probabilities lack a constant of each point."""
    x, label = RNG.normal(size=(70, 2)).astype("f"), RNG.integers(0, 3, 70)
    centres, weights = RNG.normal(size=(4, 2)), np.array([0.5, 0.3, 0.195, 0.005])
    joint = np.stack(
        [np.log(w) + stats.multivariate_normal(c).logpdf(x) for w, c in zip(weights, centres, strict=True)]
    )
    log_p, r = special.logsumexp(joint, 0), special.softmax(joint, 0).T
    monkeypatch.setattr(clustering, "AT_ONCE", 30)

    def distances(state, x):
        return jnp.log(weights)[None] - jnp.square(x[:, None] - state[None]).sum(-1) / 2

    def log_joint(state, x):
        return distances(state, x) - jnp.log(2 * jnp.pi)

    def log_prob(state, x):
        return jax.nn.logsumexp(log_joint(state, x), -1)

    test = data.Split({"x": x, "label": label})
    for probe in (
        soft_clustering(log_joint, test, num_clusters=4, weights=lambda state: jnp.asarray(weights)),
        soft_clustering(distances, test, num_clusters=4, log_prob=log_prob),
    ):
        found = jax.jit(probe)(jax.random.key(0), jnp.asarray(centres, jnp.float32))
        np.testing.assert_allclose(found["loss"].value, -log_p.mean(), rtol=1e-5)
        np.testing.assert_allclose(found["responsibility"], r, atol=1e-5)
        want = metrics.normalized_mutual_info_score(label, r.argmax(1))
        np.testing.assert_allclose(found["nmi"].value, want, atol=1e-5)
        if "weights" in found:
            assert found["num_components"].value == 3
