"""EM for mixtures of Bernoullis: a step is scikit-learn's naive Bayes with responsibilities as weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from sklearn.naive_bayes import BernoulliNB

from adl.core import jitted, trace
from adl.latent import bernoulli
from adl.latent.bernoulli import BernoulliMixture, bernoulli_mixture
from adl.latent.bound import elbo
from adl.prob.information import kl

KEY = jax.random.key(0)
RNG = np.random.default_rng(5)
N, D, K = 300, 7, 3
MEANS = RNG.uniform(0.1, 0.9, (K, D))
X = (RNG.uniform(size=(N, D)) < MEANS[RNG.integers(K, size=N)]).astype("f")


def naive_bayes(r: np.ndarray, alpha: float) -> BernoulliNB:
    """Every point once in each class, with its responsibility as weight."""
    x, label = np.tile(X, (K, 1)), np.repeat(np.arange(K), N)
    return BernoulliNB(alpha=alpha, force_alpha=True).fit(x, label, sample_weight=r.T.ravel().astype(float))


log_joint, log_prob = jax.jit(bernoulli.log_joint), jax.jit(bernoulli.log_prob)


@pytest.mark.parametrize("pseudo_count", [0.0, 0.7])
def test_steps_are_naive_bayes_with_soft_classes(pseudo_count):
    alg = jitted(bernoulli_mixture(K, pseudo_count=pseudo_count))
    state = alg.init(KEY, {"x": X})
    for _ in range(4):
        before = jax.tree.map(np.array, state)
        r = np.asarray(jax.nn.softmax(log_joint(before, X), -1))
        state, metrics = alg.step(KEY, state, {"x": X})
        theirs = naive_bayes(r, pseudo_count)
        np.testing.assert_allclose(state.means, np.exp(theirs.feature_log_prob_), atol=1e-5)
        np.testing.assert_allclose(state.weights, r.mean(0), atol=1e-5)
        joint = theirs.predict_joint_log_proba(X)
        np.testing.assert_allclose(log_joint(state, X), joint, atol=1e-4)
        np.testing.assert_allclose(log_prob(state, X), special.logsumexp(joint, axis=1), atol=1e-4)
    before = np.asarray(log_prob(state, X)).mean()
    _, metrics = alg.step(KEY, state, {"x": X})
    np.testing.assert_allclose(-metrics["loss"].value, before, rtol=1e-5)


@pytest.mark.parametrize("pseudo_count", [0.0, 2.0])
def test_em_is_monotone(pseudo_count):
    """In the likelihood; with a prior, in the posterior."""
    alg = bernoulli_mixture(K, pseudo_count=pseudo_count)

    def objective(state):
        prior = pseudo_count * (jnp.log(state.means) + jnp.log1p(-state.means)).sum()
        return bernoulli.log_prob(state, X).mean() + prior / N

    run = jax.jit(lambda: trace(alg, 150, objective)(KEY, alg.init(KEY, {"x": X}), {"x": X})[1])
    climbed = run()
    assert np.diff(climbed).min() > -2e-6 and climbed[-1] > climbed[0] + 0.02


def test_coordinates_that_never_vary_are_finite():
    x = np.concatenate([np.zeros((50, 2)), np.ones((50, 1)), RNG.integers(0, 2, (50, 3))], 1).astype("f")
    alg = jitted(bernoulli_mixture(2))
    state = alg.init(KEY, {"x": x})
    for _ in range(20):
        state, metrics = alg.step(KEY, state, {"x": x})
    assert np.isfinite(metrics["loss"].value)
    assert np.isfinite(log_prob(state, 1 - x)).all()


def test_gap_of_the_bound_is_the_divergence_from_the_posterior():
    state = BernoulliMixture(jnp.full(K, 1 / K), jnp.asarray(MEANS, "f"))

    @jax.jit
    @jax.vmap
    def seen(joint, q):
        posterior = jax.nn.softmax(joint)
        return elbo(joint, q), kl(q, posterior), elbo(joint, posterior)

    q = jnp.asarray(RNG.dirichlet(np.ones(K), N), "f").at[0].set(jnp.array([1.0, 0, 0]))
    bound, gap, tight = seen(log_joint(state, X), q)
    log_p = np.asarray(log_prob(state, X))
    assert np.median(gap) > 0.05
    np.testing.assert_allclose(log_p - bound, gap, atol=1e-5)
    np.testing.assert_allclose(tight, log_p, atol=1e-5)


def test_draws_are_of_the_mixture():
    mixture = BernoulliMixture(jnp.array([0.5, 0.3, 0.2]), jnp.asarray(MEANS, jnp.float32))
    drawn = np.asarray(bernoulli.sample(KEY, mixture, 20_000))
    assert set(np.unique(drawn)) == {0, 1}
    second = np.einsum("k,ki,kj->ij", mixture.weights, MEANS, MEANS)
    np.fill_diagonal(second, mixture.weights @ MEANS)
    np.testing.assert_allclose(drawn.T @ drawn / len(drawn), second, atol=4 * 0.5 / 20_000**0.5)


def test_quoted_references_are_scikit_learns():
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score

    from experiments.latent import bernoulli as experiment

    loaded = experiment.load(experiment.Config())
    (x, label), (shown, wanted) = ((split.arrays["x"], split.arrays["label"]) for split in loaded[:2])
    loss, nmi = experiment.CLAIMS
    joint = BernoulliNB(alpha=1.0).fit(x, label).predict_joint_log_proba(shown)
    told = -special.logsumexp(joint, axis=1).mean()
    assert f"{told:.2f}" in loss.reference and loss.at_most <= told
    found = [KMeans(10, n_init=1, random_state=seed).fit(x).predict(shown) for seed in range(5)]
    agreement = np.mean([normalized_mutual_info_score(wanted, cluster) for cluster in found])
    assert f"{agreement:.3f}" in nmi.reference and nmi.at_least >= agreement - 1e-3
