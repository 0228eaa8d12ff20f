"""The likelihood of exact denoisers is the density in closed form, and integrates to 1."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import BadInput
from adl.diffusion import schedule
from adl.diffusion.likelihood import log_likelihood
from adl.diffusion.solver import runge_kutta
from adl.prob import quadrature

MEAN = np.zeros(2)  # as the noise's, where there are no data left
COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.5]])
LOW = 0.05
X = jnp.asarray(np.random.default_rng(0).normal(size=(20, 2)), jnp.float32)


def gaussian(x, sigma):
    """E[data | x] of N(MEAN, COVARIANCE)."""
    gain = COVARIANCE @ jnp.linalg.inv(COVARIANCE + sigma**2 * jnp.eye(2))
    return MEAN[None] + (x - MEAN[None]) @ gain.T


def mixture(x, sigma):
    """E[data | x] of two points of noise 0.4 each, at +-1 of the first coordinate."""
    variance = 0.16 + sigma**2
    centers = jnp.array([[1.0, 0.0], [-1.0, 0.0]])
    share = jax.nn.softmax(-0.5 * jnp.square(x[:, None] - centers[None]).sum(-1) / variance)
    center = share @ centers
    return (0.16 * x + sigma**2 * center) / variance


def levels(num, high=300.0):
    return schedule.karras(num, sigma_min=LOW, sigma_max=high)[:-1]


def test_of_a_gaussian_it_is_scipys_with_order_2():
    want = stats.multivariate_normal(MEAN, COVARIANCE + LOW**2 * np.eye(2)).logpdf(X)
    errors = [np.abs(log_likelihood(gaussian, X, levels(num)) - want).mean() for num in (30, 60)]
    exact = log_likelihood(gaussian, X, levels(60), solver=runge_kutta)
    np.testing.assert_allclose(exact, want, atol=2e-3)
    assert 1.6 < np.log2(errors[0] / errors[1]) < 2.6


def test_random_signs_are_right_in_expectation():
    """Over many keys; of a Gaussian the error is that of the signs alone."""
    want = log_likelihood(gaussian, X[:2], levels(20))
    many = jax.jit(jax.vmap(lambda key: log_likelihood(gaussian, X[:2], levels(20), key=key)))(
        jax.random.split(jax.random.key(0), 500)
    )
    assert (many.std(0) > 1e-2).all()
    assert (np.abs(many.mean(0) - want) < 4 * many.std(0) / np.sqrt(500)).all()


def test_of_a_mixture_it_integrates_to_1():
    places, area = quadrature.plane(-4.0, 4.0, 60)
    log_prob = jax.jit(lambda x: log_likelihood(mixture, x, levels(200)))(places.reshape(-1, 2))
    np.testing.assert_allclose(jnp.exp(log_prob).sum() * area, 1, atol=5e-3)
    parts = [stats.multivariate_normal([m, 0], (0.16 + LOW**2) * np.eye(2)).pdf(places.reshape(-1, 2)) for m in (1, -1)]
    np.testing.assert_allclose(jnp.exp(log_prob), np.mean(parts, 0), atol=5e-3)


def test_pictures_are_judged_as_rows_are():
    of_pictures = lambda x, sigma: gaussian(x.reshape(len(x), 2), sigma).reshape(x.shape)  # noqa: E731
    found = log_likelihood(of_pictures, X.reshape(-1, 1, 2, 1), levels(10))
    np.testing.assert_allclose(found, log_likelihood(gaussian, X, levels(10)), rtol=1e-4)
    with pytest.raises(BadInput, match="at least 2"):
        log_likelihood(gaussian, X, levels(10)[:1])
