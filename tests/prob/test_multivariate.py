"""Distributions of vectors, and mixtures, against SciPy, scikit-learn and the rules that define them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats
from sklearn.mixture import GaussianMixture

from adl.prob import gaussian
from adl.prob.continuous import Beta, Dirichlet, Normal
from adl.prob.directional import VonMisesFisher
from adl.prob.gaussian import LinearGaussian, MultivariateNormal, NormalGamma
from adl.prob.mixture import Mixture, claw

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)


def some(dim, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(dim, dim))
    loc, covariance = rng.normal(size=dim), root @ root.T + 0.3 * np.eye(dim)
    return MultivariateNormal(jnp.asarray(loc, "f"), jnp.asarray(covariance, "f")), (loc, covariance)


def close(ours, loc, covariance, tolerance=2e-4):
    np.testing.assert_allclose(ours.loc, loc, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(ours.covariance, covariance, rtol=tolerance, atol=tolerance)


def test_gaussian_is_scipys():
    ours, (loc, covariance) = some(3)
    theirs, x = stats.multivariate_normal(loc, covariance), RNG.normal(size=(5, 3))
    for form in (ours, ours.to_precision()):
        np.testing.assert_allclose(jax.vmap(form.log_prob)(jnp.asarray(x, "f")), theirs.logpdf(x), rtol=1e-4)
    np.testing.assert_allclose(ours.entropy(), theirs.entropy(), rtol=1e-5)
    close(ours.to_precision().to_moments(), loc, covariance)
    draws = np.asarray(ours.sample(KEY, (50, 100))).reshape(-1, 3)
    white = np.linalg.solve(np.linalg.cholesky(covariance), (draws - loc).T)
    assert all(stats.kstest(row, stats.norm.cdf).pvalue > 1e-3 for row in white)
    assert stats.kstest(np.square(white).sum(0), stats.chi2(3).cdf).pvalue > 1e-3


def test_gaussian_samples_move_with_the_parameters():
    ours, (loc, covariance) = some(3)

    def drawn(loc, covariance):
        return MultivariateNormal(loc, covariance).sample(KEY)[1]

    grads = jax.grad(drawn, (0, 1))(*ours)
    np.testing.assert_allclose(grads[0], [0, 1, 0], atol=1e-6)
    noise = np.asarray(jax.random.normal(KEY, (3,)), float)
    for i in range(3):
        change = np.zeros((3, 3))
        change[i, i] = 1e-5
        ends = [(loc + np.linalg.cholesky(covariance + s * change) @ noise)[1] for s in (1, -1)]
        np.testing.assert_allclose(grads[1][i, i], (ends[0] - ends[1]) / 2e-5, rtol=1e-3, atol=1e-4)


def test_marginal_times_conditional_is_the_joint():
    ours, (_, covariance) = some(4)
    x = jnp.asarray(RNG.normal(size=4), "f")
    known = np.array([2, 0])
    for form in (ours, ours.to_precision()):
        parts = form.marginal(known).log_prob(x[known]) + form.conditional(known, x[known]).log_prob(
            x[np.array([1, 3])]
        )
        np.testing.assert_allclose(parts, form.log_prob(x), rtol=1e-4)
    np.testing.assert_allclose(ours.marginal(known).covariance, covariance[np.ix_(known, known)], rtol=1e-6)
    np.testing.assert_allclose(ours.variance(), np.diag(covariance), rtol=1e-6)


def test_product_and_sum_of_evidence_are_the_product_of_densities():
    (first, _), (second, _) = some(3, 1), some(3, 2)
    both, scale = gaussian.product(first, second)
    for x in jnp.asarray(RNG.normal(size=(3, 3)), "f"):
        np.testing.assert_allclose(both.log_prob(x) + scale, first.log_prob(x) + second.log_prob(x), rtol=1e-3)
    close(both, *(first.to_precision() + second.to_precision()).to_moments(), tolerance=1e-3)


def test_linear_gaussian_is_bayes_rule():
    """p(x) p(y | x) = p(y) p(x | y) at any x and y, and the posterior is that of natural parameters."""
    prior, _ = some(3, 3)
    noise, _ = some(2, 4)
    a, b = jnp.asarray(RNG.normal(size=(2, 3)), "f"), noise.loc
    model = LinearGaussian(a, b, noise.covariance)
    y = jnp.array([0.5, -1.0])
    posterior = model.posterior(prior, y)
    back = model.reverse(prior)
    close(MultivariateNormal(back.matrix @ y + back.offset, back.covariance), *posterior)
    for x in jnp.asarray(RNG.normal(size=(3, 3)), "f"):
        likelihood = MultivariateNormal(a @ x + b, noise.covariance).log_prob(y)
        want = model.marginal(prior).log_prob(y) + posterior.log_prob(x)
        np.testing.assert_allclose(prior.log_prob(x) + likelihood, want, rtol=1e-3)
    precision = np.linalg.inv(prior.covariance) + a.T @ np.linalg.inv(noise.covariance) @ a
    potential = np.linalg.solve(prior.covariance, prior.loc) + a.T @ np.linalg.solve(noise.covariance, y - b)
    close(posterior, np.linalg.solve(precision, potential), np.linalg.inv(precision), tolerance=1e-3)


def test_kl_is_the_mean_log_ratio_and_mutual_information_a_kl():
    (p, _), (q, _) = some(3, 5), some(3, 6)
    x = p.sample(KEY, (20000,))
    ratio = np.asarray(jax.vmap(p.log_prob)(x) - jax.vmap(q.log_prob)(x))
    assert abs(gaussian.kl(p, q) - ratio.mean()) < 4 * ratio.std() / np.sqrt(len(ratio))
    independent = np.array(p.covariance)
    independent[0, 1:] = independent[1:, 0] = 0
    want = gaussian.kl(p, MultivariateNormal(p.loc, jnp.asarray(independent)))
    np.testing.assert_allclose(gaussian.mutual_information(p, [0]), want, rtol=1e-4)
    correlated = MultivariateNormal(jnp.zeros(2), jnp.array([[1.0, 0.8], [0.8, 1.0]]))
    np.testing.assert_allclose(gaussian.mutual_information(correlated, [1]), -0.5 * np.log(1 - 0.64), rtol=1e-5)


def test_normal_gamma_marginals_are_integrals():
    belief = NormalGamma(*map(jnp.float32, (0.5, 2.0, 3.0, 1.5)))
    precision = np.linspace(1e-4, 20, 40001)
    joint = np.exp(belief.log_prob(jnp.float32(0.1), jnp.asarray(precision, "f")))
    np.testing.assert_allclose(np.exp(belief.location().log_prob(0.1)), np.trapezoid(joint, precision), rtol=1e-4)
    likelihood = stats.norm(0.1 * 0 + 0.5, np.sqrt((1 + 1 / 2.0) / precision)).pdf(1.7)
    mixed = likelihood * stats.gamma(3.0, scale=1 / 1.5).pdf(precision)
    np.testing.assert_allclose(np.exp(belief.predictive().log_prob(1.7)), np.trapezoid(mixed, precision), rtol=1e-4)


@jax.jit
def seen(d):
    """Samples, the densities of the first five, entropy and mean, as one program for all distributions of a shape."""
    x = d.sample(KEY, (2000,))
    return x, jax.vmap(d.log_prob)(x[:5]), d.entropy(), d.mean()


@pytest.mark.parametrize("concentration", [(0.5, 2.0, 3.0), (1e4, 3e4, 2e4)])
def test_dirichlet_is_scipys(concentration):
    ours, theirs = Dirichlet(jnp.asarray(concentration, "f")), stats.dirichlet(concentration)
    x, log_prob, entropy, mean = seen(ours)
    x = np.asarray(x, float)
    x /= x.sum(-1, keepdims=True)
    np.testing.assert_allclose(log_prob, theirs.logpdf(x[:5].T), rtol=1e-4, atol=5e-3)
    np.testing.assert_allclose(mean, theirs.mean(), rtol=1e-5)
    np.testing.assert_allclose(ours.variance(), theirs.var(), rtol=1e-4)
    np.testing.assert_allclose(entropy, theirs.entropy(), rtol=1e-5)
    for k, a in enumerate(concentration):
        assert stats.kstest(x[:, k], stats.beta(a, sum(concentration) - a).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("dim", "k"), [(2, 1.5), (3, 0.01), (3, 5.0), (3, 2000.0), (10, 30.0)])
def test_von_mises_fisher_is_scipys(dim, k):
    direction = RNG.normal(size=dim)
    direction /= np.linalg.norm(direction)
    ours, theirs = VonMisesFisher(jnp.asarray(direction, "f"), jnp.float32(k)), stats.vonmises_fisher(direction, k)
    x, log_prob, entropy, mean = seen(ours)
    x = np.asarray(x, float)
    np.testing.assert_allclose(np.linalg.norm(x, axis=-1), 1, rtol=1e-5)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    np.testing.assert_allclose(log_prob, theirs.logpdf(x[:5]), rtol=1e-4, atol=2e-3)
    np.testing.assert_allclose(entropy, theirs.entropy(), rtol=1e-4, atol=1e-4)
    length = special.ive(dim / 2, k) / special.ive(dim / 2 - 1, k)
    np.testing.assert_allclose(mean, length * direction, rtol=1e-4, atol=1e-5)
    want = theirs.rvs(2000, random_state=1)
    assert stats.ks_2samp(x @ direction, want @ direction).pvalue > 1e-3
    across = np.linalg.svd(direction[None])[2][1]  # any direction at right angles: the sphere is symmetric about it
    assert stats.ks_2samp(x @ across, want @ across).pvalue > 1e-3


def test_von_mises_fisher_samples_keep_their_quantile():
    """On the sphere P(mean . x <= w) is in closed form: its quantile's slope in the concentration."""
    direction, k = jnp.array([1.0, 0, 0]), 3.0
    keys = jax.random.split(KEY, 50)
    along = jax.vmap(jax.value_and_grad(lambda k, key: VonMisesFisher(direction, k).sample(key)[0]), (None, 0))
    w, slope = (np.asarray(v, float) for v in jax.jit(along)(jnp.float32(k), keys))

    def quantile(u, k):
        return 1 + np.log(u + (1 - u) * np.exp(-2 * k)) / k

    level = (np.exp(k * (w - 1)) - np.exp(-2 * k)) / (1 - np.exp(-2 * k))
    want = (quantile(level, k + 1e-4) - quantile(level, k - 1e-4)) / 2e-4
    np.testing.assert_allclose(slope, want, rtol=2e-3, atol=1e-4)


def test_mixture_of_vectors_is_scikit_learns():
    parts = [some(2, seed) for seed in (1, 2, 3)]
    weights = np.array([0.2, 0.5, 0.3])
    theirs = GaussianMixture(3)
    theirs.weights_, theirs.means_ = weights, np.stack([loc for _, (loc, _) in parts])
    theirs.covariances_ = np.stack([c for _, (_, c) in parts])
    inverse = np.linalg.inv(theirs.covariances_)
    theirs.precisions_cholesky_ = np.linalg.cholesky(inverse)
    ours = Mixture(jnp.log(weights), jax.tree.map(lambda *x: jnp.stack(x), *[d for d, _ in parts]))
    x = RNG.normal(size=(6, 2))
    np.testing.assert_allclose(jax.vmap(ours.log_prob)(jnp.asarray(x, "f")), theirs.score_samples(x), rtol=1e-4)
    np.testing.assert_allclose(jax.vmap(ours.posterior)(jnp.asarray(x, "f")), theirs.predict_proba(x), atol=1e-5)
    draws = np.asarray(jax.jit(lambda key: ours.sample(key, (20, 500)))(KEY)).reshape(-1, 2)
    error = 4 * np.sqrt(np.asarray(ours.variance()) / len(draws))
    assert (np.abs(draws.mean(0) - ours.mean()) < error).all()
    np.testing.assert_allclose(draws.var(0), ours.variance(), rtol=0.1)


def test_mixture_of_numbers_integrates():
    ours = Mixture(jnp.log(jnp.array([0.3, 0.7])), Normal(jnp.array([-1.0, 2.0]), jnp.array([0.5, 1.0])))
    x = np.linspace(-8, 10, 20001)
    p = np.exp(np.asarray(ours.log_prob(jnp.asarray(x, "f")), float))
    np.testing.assert_allclose(integrate.trapezoid(p, x), 1, rtol=1e-5)
    np.testing.assert_allclose(ours.mean(), integrate.trapezoid(x * p, x), rtol=1e-5)
    np.testing.assert_allclose(ours.variance(), integrate.trapezoid(x**2 * p, x) - ours.mean() ** 2, rtol=1e-4)
    np.testing.assert_allclose(
        ours.cdf(jnp.asarray(x, "f")), integrate.cumulative_trapezoid(p, x, initial=0), atol=1e-5
    )
    draws = np.asarray(ours.sample(KEY, (4000,)))
    assert stats.kstest(draws, lambda v: np.asarray(ours.cdf(jnp.asarray(v, "f")))).pvalue > 1e-3


def test_the_claw_is_scipys_normals():
    x = np.linspace(-3, 3, 50)
    want = 0.5 * stats.norm.pdf(x) + sum(0.1 * stats.norm(centre, 0.1).pdf(x) for centre in (-1, -0.5, 0, 0.5, 1))
    np.testing.assert_allclose(jnp.exp(claw().log_prob(jnp.asarray(x, jnp.float32))), want, rtol=1e-4)


def test_draws_of_small_concentrations_stay_inside():
    """All but one share are below float32's numbers, and some shares round to 1: their densities are finite."""

    @jax.jit
    def drawn(d):
        x = d.sample(KEY, (20_000,))
        log_prob, slope = jax.value_and_grad(lambda d: d.log_prob(x).mean())(d)
        return x, d.log_prob(x), log_prob, slope, d.entropy()

    x, log_probs, _, slope, _ = drawn(Dirichlet(jnp.full(3, 0.01)))
    assert (x > 0).all() and np.isfinite(log_probs).all()
    assert np.isfinite(slope.concentration).all()
    x, _, log_prob, _, entropy = drawn(Beta(jnp.float32(0.5), jnp.float32(0.5)))
    assert (x > 0).all() and (x < 1).all()
    np.testing.assert_allclose(log_prob, -entropy, atol=0.02)
