"""Factor analysis and probabilistic PCA, held to scikit-learn's and the closed form; their bounds, to the evidence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from sklearn import decomposition

from adl.core import jitted
from adl.latent import factors
from adl.latent.factors import Factors, factor_analysis, factor_mixture, ppca
from adl.prob import moments
from adl.prob.gaussian import MultivariateNormal, kl
from adl.prob.information import kl as discrete_kl

KEY = jax.random.key(0)
RNG = np.random.default_rng(3)
N, D, Z = 400, 8, 2
LOADING = RNG.normal(size=(D, Z))
X = (RNG.normal(size=(N, Z)) @ LOADING.T + RNG.normal(size=(N, D)) * RNG.uniform(0.4, 1.2, D) + 30).astype("f")
MOMENTS = moments.of(X, jnp.ones(N))


score = jax.jit(lambda model, x: jax.vmap(lambda point: model.log_prob(point))(x))
full = jax.jit(Factors.covariance)


def em(alg, x: np.ndarray, num_steps: int):
    """The state after the steps, and the likelihood before each of them."""

    def body(state, _):
        state, metrics = alg.step(KEY, state, {"x": x})
        return state, -metrics["loss"].value

    run = jax.jit(lambda: jax.lax.scan(body, alg.init(KEY, {"x": x}), length=num_steps))
    return jax.tree.map(np.asarray, run())


@pytest.fixture(scope="module")
def analysed():
    return em(factor_analysis(Z), X, 1500)


@pytest.fixture(scope="module")
def mixed():
    low = RNG.normal(size=(3, 60, 2)) @ RNG.normal(size=(3, 2, 5)) + RNG.normal(size=(3, 1, 5))
    x = (low + RNG.normal(size=low.shape)).reshape(-1, 5).astype("f")
    return x, *em(factor_mixture(3, 2), x, 60)


def test_factor_analysis_has_scikit_learns_likelihood(analysed):
    state, likelihoods = analysed
    theirs = decomposition.FactorAnalysis(Z, tol=1e-10, max_iter=5000, svd_method="lapack").fit(X.astype(float))
    np.testing.assert_allclose(likelihoods[-1], theirs.score(X.astype(float)), atol=1e-4)
    np.testing.assert_allclose(score(state, X), theirs.score_samples(X.astype(float)), atol=5e-3)
    np.testing.assert_allclose(full(state), theirs.get_covariance(), atol=5e-3)
    np.testing.assert_allclose(state.noise, theirs.noise_variance_, atol=5e-3)
    np.testing.assert_allclose(state.loc, theirs.mean_, rtol=1e-5)


def test_em_is_monotone(analysed, mixed):
    for likelihoods in (analysed[1], mixed[2]):
        assert np.diff(likelihoods).min() > -2e-5 and likelihoods[-1] > likelihoods[0] + 0.1


@pytest.mark.parametrize("noise", ["diagonal", "isotropic"])
@pytest.mark.parametrize("scale", [(1, 1, 1), (1, 1000, 1)], ids=["alike", "of other units"])
@pytest.mark.parametrize("third", ["the first again", "constant", "the first again, at 1e4"])
def test_em_is_monotone_where_the_factors_explain_a_coordinate_wholly(noise, scale, third):
    """Its noise falls to the least there is: a small sum of squares, and no difference of two large ones."""
    x = RNG.normal(size=(100, 3))
    x[:, 2] = 3.0 if third == "constant" else x[:, 0]
    x = (x * scale + (1e4 if third.endswith("1e4") else 0)).astype("f")
    state, likelihoods = em(factor_analysis(2, noise=noise), x, 100)
    assert np.diff(likelihoods).min() > -1e-3 and likelihoods[-1] > likelihoods[0] + 0.1
    assert np.isfinite(state.noise).all() and (state.noise > 0).all()


def test_em_with_isotropic_noise_ends_at_the_closed_form():
    state, likelihoods = em(factor_analysis(Z, noise="isotropic"), X, 200)
    closed = ppca(MOMENTS.mean, MOMENTS.covariance(), Z)
    assert np.diff(likelihoods).min() > -2e-5
    np.testing.assert_allclose(likelihoods[-1], score(closed, X).mean(), atol=1e-4)
    np.testing.assert_allclose(state.noise, closed.noise, rtol=1e-3)
    np.testing.assert_allclose(full(state), full(closed), atol=5e-3)


def test_closed_form_is_scikit_learns():
    """Theirs takes the covariance without bias."""
    ours = ppca(MOMENTS.mean, MOMENTS.covariance(correction=1.0), Z)
    theirs = decomposition.PCA(Z, svd_solver="full").fit(X.astype(float))
    np.testing.assert_allclose(ours.noise, theirs.noise_variance_, rtol=1e-4)
    np.testing.assert_allclose(full(ours), theirs.get_covariance(), atol=1e-4 * theirs.get_covariance().max())
    np.testing.assert_allclose(score(ours, X).mean(), theirs.score(X.astype(float)), atol=1e-4)


def test_density_is_scipys(analysed):
    state = analysed[0]
    want = stats.multivariate_normal(np.asarray(state.loc, float), np.asarray(full(state), float)).logpdf(X)
    np.testing.assert_allclose(score(state, X), want, atol=1e-3)
    draws = np.asarray(state.sample(KEY, (20000,)), float)
    spread = 5 * np.sqrt(2 / 20000) * np.diag(full(state)).max()
    np.testing.assert_allclose(np.cov(draws.T), full(state), atol=spread)


def test_posterior_is_bayes_rule(analysed):
    """By the joint Gaussian of x and z, in float64."""
    state, x = analysed[0], X[0].astype(float)
    w, noise = np.asarray(state.loading, float), np.asarray(state.noise, float)
    gain = w.T @ np.linalg.inv(w @ w.T + np.diag(noise))
    got = state.posterior(X[0])
    np.testing.assert_allclose(got.loc, gain @ (x - np.asarray(state.loc, float)), atol=1e-4)
    np.testing.assert_allclose(got.covariance, np.eye(Z) - gain @ w, atol=1e-4)


def any_gaussian(seed: int, dim: int) -> MultivariateNormal:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(dim, dim))
    return MultivariateNormal(
        jnp.asarray(rng.normal(size=dim), "f"), jnp.asarray(root @ root.T / 2 + 0.2 * np.eye(dim), "f")
    )


def test_gap_of_the_bound_is_the_divergence_from_the_posterior(analysed):
    @jax.jit
    def seen(x, q):
        posterior = state.posterior(x)
        return state.log_prob(x), state.elbo(x, q), kl(q, posterior), state.elbo(x, posterior)

    state = jax.tree.map(jnp.asarray, analysed[0])
    for n in range(4):
        log_p, bound, gap, tight = seen(X[n], any_gaussian(n, Z))
        assert gap > 0.05, "q must be something else"
        np.testing.assert_allclose(log_p - bound, gap, rtol=1e-4, atol=2e-4)
        np.testing.assert_allclose(tight, log_p, atol=1e-4)


def test_bound_is_what_sampling_says(analysed):
    state, x, q = analysed[0], X[0], any_gaussian(9, Z)
    z = q.sample(KEY, (40000,))
    prior = MultivariateNormal(jnp.zeros(Z), jnp.eye(Z))
    given = jax.vmap(lambda z: MultivariateNormal(state.loc + state.loading @ z, jnp.diag(state.noise)).log_prob(x))
    terms = np.asarray(given(z) + jax.vmap(prior.log_prob)(z) - jax.vmap(q.log_prob)(z), float)
    assert abs(terms.mean() - float(state.elbo(x, q))) < 5 * terms.std() / np.sqrt(len(terms))


def test_gap_of_a_mixture_is_both_divergences(mixed):
    @jax.jit
    def seen(x, q_k, q_z):
        posterior = mixture.posterior(x)
        exact = jax.vmap(lambda f: f.posterior(x))(mixture.components)
        gap = discrete_kl(q_k, posterior) + (q_k * jax.vmap(kl)(q_z, exact)).sum()
        bounds = (factors.mixture_elbo(mixture, x, *q) for q in ((q_k, q_z), (posterior, exact)))
        return mixture.log_prob(x), gap, *bounds

    x, mixture = mixed[0], jax.tree.map(jnp.asarray, mixed[1])
    for n in (0, 70, 150):
        q_k = jnp.asarray(RNG.dirichlet(np.ones(3)), "f")
        q_z = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[any_gaussian(k + n, 2) for k in range(3)])
        log_p, gap, bound, tight = seen(x[n], q_k, q_z)
        np.testing.assert_allclose(log_p - bound, gap, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(tight, log_p, atol=1e-4)


def test_mixture_density_is_scipys(mixed):
    x, mixture, _ = mixed
    weights, covariances = special.softmax(mixture.logits), jax.vmap(full)(mixture.components)
    parts = [
        np.log(weights[k]) + stats.multivariate_normal(mixture.components.loc[k], covariances[k]).logpdf(x)
        for k in range(3)
    ]
    want = special.logsumexp(parts, axis=0)
    np.testing.assert_allclose(jax.nn.logsumexp(factors.log_joint(mixture, x), -1), want, atol=2e-3)
    np.testing.assert_allclose(score(mixture, x), want, atol=2e-3)


def test_a_mixture_of_one_is_the_model_itself():
    """With the closed form's likelihood, from another start."""
    state, likelihoods = em(factor_mixture(1, Z, start=lambda key, batch: MOMENTS.mean[None]), X, 200)
    closed = score(ppca(MOMENTS.mean, MOMENTS.covariance(), Z), X).mean()
    np.testing.assert_allclose(likelihoods[-1], closed, atol=1e-4)
    np.testing.assert_allclose(score(state, X).mean(), closed, atol=1e-4)


def test_a_component_without_points_stays(mixed):
    x, mixture, _ = mixed
    lost = mixture._replace(
        components=mixture.components._replace(loc=jnp.asarray(mixture.components.loc).at[1].set(900.0))
    )
    after, metrics = jitted(factor_mixture(3, 2)).step(KEY, jax.tree.map(jnp.copy, lost), {"x": x})
    assert np.isfinite(metrics["loss"].value) and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after))
    np.testing.assert_allclose(after.components.loc[1], 900)
