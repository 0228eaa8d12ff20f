"""Regression by a Gaussian process is scikit-learn's, SciPy's density, and Bayesian linear regression's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.test_util import check_grads
from scipy import optimize, stats
from sklearn.gaussian_process import GaussianProcessRegressor, kernels

from adl.core import jitted, repeated, tree
from adl.linear import bayes, gaussian_process
from adl.linear.covariance import added, linear, matern, scaled, squared_exponential

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, D = 40, 2
X = RNG.normal(size=(N, D)).astype("f")
Y = (np.sin(2 * X[:, 0]) + 0.3 * X[:, 1] + 0.2 * RNG.normal(size=N)).astype("f")
NEW = RNG.normal(size=(15, D)).astype("f")
NOISE = 0.04
LENGTH = np.array([0.8, 2.0], "f")
KERNELS = {
    "squared exponential": (scaled(squared_exponential(LENGTH), 1.5), 1.5 * kernels.RBF(LENGTH)),
    "matern": (scaled(matern(LENGTH, "3/2"), 1.5), 1.5 * kernels.Matern(LENGTH, nu=1.5)),
}


def theirs(kernel, noise=NOISE):
    return GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(X.astype(float), Y.astype(float))


@pytest.mark.parametrize("name", KERNELS)
def test_posterior_and_evidence_are_scikit_learns(name):
    kernel, peer = KERNELS[name][0], theirs(KERNELS[name][1])
    posterior = gaussian_process.condition(kernel, X, Y, noise_variance=NOISE)
    mean, std = peer.predict(NEW.astype(float), return_std=True)
    _, covariance = peer.predict(NEW.astype(float), return_cov=True)
    got = jax.jit(functools.partial(gaussian_process.predict, kernel))(posterior, NEW)
    np.testing.assert_allclose(got.mean, mean, atol=1e-4)
    np.testing.assert_allclose(jnp.sqrt(got.variance), std, atol=1e-4)
    law = gaussian_process.joint(kernel, posterior, NEW)
    np.testing.assert_allclose(law.loc, mean, atol=1e-4)
    np.testing.assert_allclose(law.covariance, covariance, atol=1e-4)
    np.testing.assert_allclose(posterior.log_evidence, peer.log_marginal_likelihood_value_, rtol=1e-4)


def test_noise_of_each_outcome_is_scikit_learns():
    noise = np.linspace(0.01, 0.5, N).astype("f")
    kernel, peer = KERNELS["matern"][0], theirs(KERNELS["matern"][1], noise.astype(float))
    posterior = gaussian_process.condition(kernel, X, Y, noise_variance=noise)
    np.testing.assert_allclose(gaussian_process.predict(kernel, posterior, NEW).mean, peer.predict(NEW), atol=1e-4)


def test_gradient_of_the_evidence_is_scikit_learns():
    peer = GaussianProcessRegressor(
        kernels.ConstantKernel(1.5) * kernels.RBF(LENGTH) + kernels.WhiteKernel(NOISE), alpha=0.0, optimizer=None
    ).fit(X.astype(float), Y.astype(float))
    value, gradient = peer.log_marginal_likelihood(peer.kernel_.theta, eval_gradient=True)

    def ours(theta):
        variance, length, noise = jnp.exp(theta[0]), jnp.exp(theta[1:3]), jnp.exp(theta[3])
        kernel = scaled(squared_exponential(length), variance)
        return gaussian_process.log_evidence(kernel, X, Y, noise_variance=noise)

    theta = jnp.asarray(peer.kernel_.theta, jnp.float32)
    got, slope = jax.jit(jax.value_and_grad(ours))(theta)
    np.testing.assert_allclose(got, value, rtol=1e-4)
    np.testing.assert_allclose(slope, gradient, rtol=1e-3, atol=1e-3)
    check_grads(ours, (theta,), order=1, modes=("fwd", "rev"), atol=0.05, rtol=0.05, eps=1e-2)


def test_density_is_scipys():
    cov = np.asarray(KERNELS["matern"][0](X, X), float) + NOISE * np.eye(N)
    got = gaussian_process.normal_log_prob(jnp.asarray(cov, "float32"), Y)
    np.testing.assert_allclose(got, stats.multivariate_normal(cov=cov).logpdf(Y), rtol=1e-4)


def test_ascent_finds_the_evidence_that_scikit_learn_finds():
    kernel = kernels.ConstantKernel(1.0) * kernels.RBF([1.0, 1.0]) + kernels.WhiteKernel(0.1)
    peer = GaussianProcessRegressor(kernel, alpha=0.0).fit(X.astype(float), Y.astype(float))

    def model(theta):
        return scaled(squared_exponential(theta["length"]), theta["variance"]), theta["noise"]

    start = {"length": np.ones(D), "variance": 1.0, "noise": 0.1}
    steps = 300
    alg = gaussian_process.evidence_ascent(model, optax.adam(optax.cosine_decay_schedule(0.1, steps)), start=start)
    batch = {"x": X, "y": Y}
    many, batches = jitted(repeated(alg, steps)), jax.tree.map(lambda a: np.stack([a] * steps), batch)
    state, _ = many.step(KEY, many.init(KEY, batches), batches)
    found = gaussian_process.values(state)
    fitted, noise = model(found)
    got = gaussian_process.log_evidence(fitted, X, Y, noise_variance=noise)
    assert got > peer.log_marginal_likelihood_value_ - 1e-2
    want = peer.kernel_.k1.k2.length_scale
    np.testing.assert_allclose(found["length"], want, rtol=0.02)
    np.testing.assert_allclose(found["noise"], peer.kernel_.k2.noise_level, rtol=0.02)


def test_linear_kernel_is_bayesian_linear_regression():
    alg, batch = bayes.bayesian_regression(bayes.known_noise(NOISE**0.5), prior_precision=NOISE), {"x": X, "y": Y}
    learned, _ = jax.jit(alg.step)(KEY, jax.jit(alg.init)(KEY, batch), batch)
    want = bayes.predict(learned, NEW, bayes.known_noise(NOISE**0.5))
    posterior = gaussian_process.condition(linear(1.0), X, Y, noise_variance=NOISE)
    got = gaussian_process.predict(linear(1.0), posterior, NEW)
    np.testing.assert_allclose(got.mean, want.mean, atol=1e-3)
    np.testing.assert_allclose(jnp.sqrt(got.variance + NOISE), want.scale, atol=1e-4)


def test_samples_have_the_laws_moments():
    """Within five standard errors of 20,000 draws; of a smooth law without a Cholesky factor in float32."""
    kernel = squared_exponential(2.0)
    grid = np.linspace(-2, 2, 40, dtype="f")[:, None]
    posterior = gaussian_process.condition(kernel, grid[::10], np.sin(grid[::10, 0]), noise_variance=NOISE)
    law = gaussian_process.joint(kernel, posterior, grid)
    assert np.isnan(jnp.linalg.cholesky(law.covariance)).any()
    draws = np.asarray(gaussian_process.sample(KEY, law, 20_000), float)
    std = np.sqrt(np.diag(law.covariance))
    np.testing.assert_array_less(np.abs(draws.mean(0) - law.loc) / std, 5 / np.sqrt(20_000))
    error = np.cov(draws.T) - law.covariance
    np.testing.assert_array_less(np.abs(error) / np.outer(std, std), 5 * np.sqrt(2 / 20_000))


def test_a_picture_is_the_posterior_and_samples_of_it():
    kernel = KERNELS["matern"][0]
    got = gaussian_process.picture(KEY, kernel, X, Y, NEW, noise_variance=NOISE, num_samples=3)
    posterior = gaussian_process.condition(kernel, X, Y, noise_variance=NOISE)
    want, law = gaussian_process.predict(kernel, posterior, NEW), gaussian_process.joint(kernel, posterior, NEW)
    np.testing.assert_allclose(got.mean, want.mean, atol=1e-5)
    np.testing.assert_allclose(jnp.square(got.scale), want.variance + NOISE, rtol=1e-4)
    np.testing.assert_allclose(got.samples, gaussian_process.sample(KEY, law, 3), atol=1e-5)
    assert got.log_evidence == posterior.log_evidence


def test_the_way_up_is_that_of_the_ascent():
    def model(theta):
        return squared_exponential(theta["length"]), theta["noise"]

    start, tx, batch = {"length": 0.5, "noise": 0.2}, optax.adam(0.1), {"x": X, "y": Y}
    way = gaussian_process.way_up(KEY, model, start, tx, batch, 3)
    alg = jitted(gaussian_process.evidence_ascent(model, tx, start=start))
    state = alg.init(KEY, batch)
    for i in range(3):
        state, _ = alg.step(KEY, state, batch)
        now = gaussian_process.values(state)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), tree.take(way, i), now)


def test_without_data_nearby_the_posterior_is_the_prior():
    kernel = added(scaled(squared_exponential(0.1), 2.0), scaled(matern(0.1, "5/2"), 1.0))
    posterior = gaussian_process.condition(kernel, X, Y, noise_variance=NOISE)
    got = gaussian_process.predict(kernel, posterior, np.full((1, D), 50.0, "f"))
    np.testing.assert_allclose(got.variance, 3.0, rtol=1e-5)
    np.testing.assert_allclose(got.mean, 0.0, atol=1e-6)


def test_vmap_over_outcomes_is_one_after_another():
    kernel, many = KERNELS["matern"][0], np.stack([Y, -2 * Y])
    fit = functools.partial(gaussian_process.condition, kernel, X, noise_variance=NOISE)
    together = jax.vmap(fit, out_axes=gaussian_process.ProcessPosterior(None, 0, 0, 0))(many)
    np.testing.assert_allclose(tree.take(together.weights, 1), fit(many[1]).weights, rtol=1e-3, atol=1e-3)


def test_matches_an_optimum_of_scipy_on_its_own_evidence():
    """A stationary point of the gradient is one of SciPy's: of noise alone, by a bounded search."""
    kernel = KERNELS["squared exponential"][0]

    def ours(log_noise):
        return -gaussian_process.log_evidence(kernel, X, Y, noise_variance=jnp.exp(log_noise))

    cov = np.asarray(kernel(X, X), float)

    def scipys(log_noise):
        return -stats.multivariate_normal(cov=cov + np.exp(log_noise) * np.eye(N)).logpdf(Y)

    best = optimize.minimize_scalar(scipys, bounds=(-6, 1), method="bounded", options={"xatol": 1e-6}).x
    slope = jax.grad(ours)
    assert slope(best - 0.05) < 0 < slope(best + 0.05)
