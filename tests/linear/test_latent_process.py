"""Laplace's approximation is scikit-learn's classifier, and near brute force on few places."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, special, stats
from sklearn.gaussian_process import GaussianProcessClassifier, kernels

from adl.core import until_still
from adl.linear import glm, latent_process
from adl.linear.covariance import scaled, squared_exponential
from adl.prob.quadrature import normal_expectation

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N = 50
X = RNG.normal(size=(N, 2)).astype("f")
LABEL = (RNG.uniform(size=N) < special.expit(4 * np.sin(2 * X[:, 0]) + X[:, 1])).astype(int)
COUNT = RNG.poisson(np.exp(np.sin(2 * X[:, 0]))).astype("f")
NEW = RNG.normal(size=(20, 2)).astype("f")
KERNEL = scaled(squared_exponential(0.9), 4.0)


@functools.partial(jax.jit, static_argnums=0)
def fit(link, y):
    weights, count = until_still(latent_process.newton(link, KERNEL))(KEY, {"x": X, "y": y})
    return latent_process.approximate(link, KERNEL, X, y, weights), weights, count


@pytest.fixture(scope="module")
def classifier():
    peer = GaussianProcessClassifier(4.0 * kernels.RBF(0.9), optimizer=None).fit(X.astype(float), LABEL)
    return fit(glm.bernoulli, LABEL)[0], peer.base_estimator_


def test_classifier_is_scikit_learns(classifier):
    ours, theirs = classifier
    np.testing.assert_allclose(ours.score, LABEL - theirs.pi_, atol=1e-4)
    np.testing.assert_allclose(ours.stiffness, theirs.W_sr_, atol=1e-4)
    np.testing.assert_allclose(ours.log_evidence, theirs.log_marginal_likelihood_value_, rtol=1e-4)
    across = theirs.kernel_(X.astype(float), NEW.astype(float))
    half = np.linalg.solve(theirs.L_, theirs.W_sr_[:, None] * across)
    got = latent_process.predict(KERNEL, ours, NEW)
    np.testing.assert_allclose(got.mean, across.T @ (LABEL - theirs.pi_), atol=1e-3)
    np.testing.assert_allclose(got.variance, 4 - (half**2).sum(0), atol=1e-3)
    # Its integral is a sum of five error functions, ours the integral itself.
    probability = latent_process.expected(glm.bernoulli, got)
    np.testing.assert_allclose(probability, theirs.predict_proba(NEW.astype(float))[:, 1], atol=2e-3)


@pytest.mark.parametrize(("name", "y"), [("bernoulli", LABEL), ("probit", LABEL), ("poisson", COUNT)])
def test_mode_is_the_maximum_that_scipy_finds(name, y):
    law = {
        "bernoulli": lambda f: stats.bernoulli.logpmf(y, special.expit(f)),
        "probit": lambda f: stats.norm.logcdf((2 * y - 1) * f),
        "poisson": lambda f: stats.poisson.logpmf(y, np.exp(f)),
    }[name]
    gram = np.asarray(KERNEL(X, X), float)
    root = np.linalg.cholesky(gram + 1e-6 * np.eye(N))

    def loss(z):
        return 0.5 * z @ z - law(root @ z).sum()

    want = root @ optimize.minimize(loss, np.zeros(N), method="L-BFGS-B", options={"maxfun": 10**6}).x
    approximation, weights, count = fit(getattr(glm, name), y)
    np.testing.assert_allclose(gram @ np.asarray(weights, float), want, atol=0.02)
    np.testing.assert_allclose(weights, approximation.score, atol=1e-3)  # at the mode K^-1 f is the score
    assert count < 20


@pytest.mark.parametrize("count", [90, 1e3, 1e4])
def test_one_large_count_is_reached(count):
    """At the mode K^-1 f is the score: of the others about as they were, of the one what the prior resists with."""
    y = np.where(np.arange(N) == 7, count, COUNT).astype("f")
    approximation, weights, steps = fit(glm.poisson, y)
    gram, weights = np.asarray(KERNEL(X, X), float), np.asarray(weights, float)
    mean = np.exp(gram @ weights)
    # f is a sum of large products that cancel, whose rounding the mean multiplies.
    rounding = 4 * np.finfo("f").eps * (gram @ np.abs(weights)) * mean
    assert (np.abs(weights - (y - mean)) < rounding + 1e-4).all()
    assert rounding.max() < 2e-3 * count
    assert steps < 20 and np.isfinite(approximation.log_evidence)


def test_evidence_and_probability_are_near_quadrature():
    """Of two places: brute force over both values of the function."""
    x, y, new = np.array([[0.0], [1.0]], "f"), np.array([1, 0]), np.array([[0.3]], "f")
    kernel = scaled(squared_exponential(1.0), 2.0)
    weights, _ = until_still(latent_process.newton(glm.bernoulli, kernel))(KEY, {"x": x, "y": y})
    got = latent_process.approximate(glm.bernoulli, kernel, x, y, weights)
    gram = np.asarray(kernel(np.concatenate([x, new]), np.concatenate([x, new])), float)
    side = np.linspace(-9, 9, 601)
    f = np.stack(np.meshgrid(side, side, indexing="ij"), -1)
    density = stats.multivariate_normal(cov=gram[:2, :2]).pdf(f) * special.expit(f[..., 0]) * special.expit(-f[..., 1])

    def integral(values):
        return integrate.trapezoid(integrate.trapezoid(values, x=side), x=side)

    np.testing.assert_allclose(got.log_evidence, np.log(integral(density)), atol=0.1)
    across = np.linalg.solve(gram[:2, :2], gram[:2, 2])
    spread = gram[2, 2] - across @ gram[:2, 2]
    at_new = normal_expectation(jax.nn.sigmoid, jnp.asarray(f @ across, "float32"), jnp.full((601, 601), spread))
    probability = latent_process.expected(glm.bernoulli, latent_process.predict(kernel, got, new))
    np.testing.assert_allclose(probability, integral(density * np.asarray(at_new)) / integral(density), atol=0.02)


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.0), (0.0, 1.0), (-3.0, 2.0), (5.0, 10.0)])
def test_expectation_is_scipys_quadrature(mean, std):
    got = normal_expectation(jax.nn.sigmoid, jnp.array([mean]), jnp.array([std**2]))
    want, _ = integrate.quad(lambda z: special.expit(mean + std * z) * stats.norm.pdf(z), -10, 10)
    np.testing.assert_allclose(got, [want], atol=1e-5)


def test_expected_count_is_log_normals_mean():
    """E exp(f) = exp(mean + variance / 2)."""
    law = latent_process.Marginals(jnp.array([0.2, -1.0]), jnp.array([0.5, 1.5]))
    np.testing.assert_allclose(
        latent_process.expected(glm.poisson, law), np.exp(law.mean + law.variance / 2), rtol=1e-4
    )
