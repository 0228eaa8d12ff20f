"""Random features and wide networks come to their Gaussian process, as the square root of their width."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import erf
from scipy import stats

from adl.linear import bayes, covariance, gaussian_process
from adl.linear.random_features import hidden_layer, kernel_errors, random_fourier
from adl.prob.product import matmul

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 2)).astype("f")
LENGTH = np.array([0.7, 1.5], "f")
WIDTHS = (16, 64, 256, 1024)
NUM_DRAWS = 300
CASES = {
    "squared exponential": (
        lambda key, width: random_fourier(key, 2, width // 2, length=LENGTH),
        covariance.squared_exponential(LENGTH),
    ),
    "matern 1/2": (
        lambda key, width: random_fourier(key, 2, width // 2, length=LENGTH, dof=1),
        covariance.matern(LENGTH, "1/2"),
    ),
    "matern 5/2": (
        lambda key, width: random_fourier(key, 2, width // 2, length=LENGTH, dof=5),
        covariance.matern(LENGTH, "5/2"),
    ),
    "relu network": (
        lambda key, width: hidden_layer(key, 2, width, jax.nn.relu, weight_variance=LENGTH, bias_variance=0.5),
        covariance.relu_network(LENGTH, 0.5),
    ),
    "erf network": (
        lambda key, width: hidden_layer(key, 2, width, erf, weight_variance=LENGTH, bias_variance=0.5),
        covariance.erf_network(LENGTH, 0.5),
    ),
}

FAST = "squared exponential", "relu network"  # one that is drawn, and one that is a network


@pytest.mark.parametrize("name", [pytest.param(x, marks=() if x in FAST else pytest.mark.full) for x in CASES])
def test_error_falls_as_the_square_root_of_the_width(name):
    """The mean over draws is the kernel, within five standard errors; the deviation's slope is -1/2.

    The logarithm of a deviation of 300 draws is known to 1 / sqrt(600), of 36 entries that depend on each other to
    some 0.03; so the slope over a factor of 64 is known to about 0.01.
    """
    draw, kernel = CASES[name]
    keys = jax.random.split(KEY, NUM_DRAWS)

    def gram(key, width):
        phi = draw(key, width)(X)
        return matmul(phi, phi.T)

    want, upper = np.asarray(kernel(X, X)), np.triu_indices(8, 1)
    grams = [np.asarray(jax.jit(jax.vmap(functools.partial(gram, width=w)))(keys), float) for w in WIDTHS]
    deviations = []
    for drawn in grams:
        deviation = drawn.std(0, ddof=1)
        error = np.abs(drawn.mean(0) - want)
        assert (error[upper] < 5 * deviation[upper] / np.sqrt(NUM_DRAWS)).all()
        deviations.append(np.sqrt(np.mean(np.square(drawn - want)[:, *upper])))
    slope = np.polyfit(np.log(WIDTHS), np.log(deviations), 1)[0]
    np.testing.assert_allclose(slope, -0.5, atol=0.04)


def test_fourier_features_have_length_one():
    phi = random_fourier(KEY, 2, 10)(X)
    np.testing.assert_allclose(jnp.square(phi).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", ["squared exponential", pytest.param("relu network", marks=pytest.mark.full)])
def test_bayesian_regression_on_features_is_the_process_posterior(name):
    """A network whose last layer alone is learned, by Bayes' rule: wider, its predictions are the process's."""
    draw, kernel = CASES[name]
    y = np.sin(2 * X[:, 0])
    new = RNG.normal(size=(6, 2)).astype("f")
    noise = bayes.known_noise(0.3)
    posterior = gaussian_process.condition(kernel, X, y, noise_variance=0.09)
    want = gaussian_process.predict(kernel, posterior, new)

    def errors(key, width):
        features, alg = draw(key, width), bayes.bayesian_regression(noise, prior_precision=0.09)
        batch = {"x": features(X), "y": y}
        learned, _ = alg.step(key, alg.init(key, batch), batch)
        got = bayes.predict(learned, features(new), noise)
        return jnp.stack([got.mean - want.mean, got.scale - jnp.sqrt(want.variance + 0.09)])

    keys = jax.random.split(KEY, 8)
    parts = [jax.jit(jax.vmap(functools.partial(errors, width=width)))(keys) for width in (32, 512)]
    sizes = [float(jnp.sqrt(jnp.square(part).mean())) for part in parts]
    assert sizes[1] < 0.05
    np.testing.assert_allclose(sizes[0] / sizes[1], 4, rtol=0.5)  # sqrt(512 / 32), of 8 draws


def test_outputs_of_a_network_become_normal_as_its_width():
    """The excess kurtosis of v . phi(x) with normal v is 3 Var(phi^2) / (H E[phi^2]^2): of relu units 15 / H."""

    def output(key, width):
        layer_key, last_key = jax.random.split(key)
        phi = hidden_layer(layer_key, 2, width, jax.nn.relu)(X[:1])
        return (phi @ jax.random.normal(last_key, (width,)))[0]

    keys = jax.random.split(KEY, 20_000)
    for width in (4, 64):
        drawn = np.asarray(jax.jit(jax.vmap(functools.partial(output, width=width)))(keys), float)
        np.testing.assert_allclose(stats.kurtosis(drawn), 15 / width, atol=0.6 if width == 4 else 0.2)
    wanted = float(covariance.relu_network(1.0, 1.0)(X[:1], X[:1])[0, 0])
    assert stats.kstest(drawn / np.sqrt(wanted), "norm").pvalue > 1e-3


def test_kernel_errors_are_numpys():
    units, kernel = RNG.normal(size=(3, 24)).astype("f"), RNG.normal(size=(3, 3)).astype("f")
    got = kernel_errors(units, kernel, width=3, num_doublings=3)
    for width, error in zip((3, 6, 12, 24), got, strict=True):
        cuts = [units[:, i : i + width] for i in range(0, 24, width)]
        apart = [cut @ cut.T / width - kernel for cut in cuts]
        np.testing.assert_allclose(error, np.sqrt(np.square(apart).mean()), rtol=1e-5)
