"""Laplace's approximation is exact for normal densities, and near quadrature for logistic regression."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from adl.core import until_still
from adl.linear import glm
from adl.linear.laplace import laplace, logistic_probability

RNG = np.random.default_rng(0)
X = np.stack([RNG.normal(size=30), np.ones(30)], 1).astype("f")
Y = (RNG.uniform(size=30) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype("f")


def test_exact_for_a_normal_density():
    precision = np.array([[2.0, 0.5], [0.5, 1.0]])
    law = stats.multivariate_normal([1.0, -2.0], np.linalg.inv(precision))

    def log_joint(w):  # log 7 more than a density
        d = w - jnp.array([1.0, -2.0])
        return -0.5 * d @ jnp.asarray(precision, "float32") @ d + jnp.float32(law.logpdf([1.0, -2.0]) + np.log(7))

    got = laplace(log_joint, jnp.array([1.0, -2.0]))
    np.testing.assert_allclose(got.root @ got.root.T, precision, rtol=1e-5)
    np.testing.assert_allclose(got.log_evidence, np.log(7), rtol=1e-5)


def test_logistic_regression_is_near_quadrature():
    def log_joint(w):
        eta = X @ w
        return (Y * eta - jax.nn.softplus(eta)).sum() - 0.5 * w @ w - jnp.log(2 * jnp.pi)

    mode, _ = until_still(glm.irls(glm.bernoulli, penalty=1.0))(jax.random.key(0), {"x": X, "y": Y})
    np.testing.assert_allclose(jax.grad(log_joint)(mode[:, 0]), 0, atol=1e-4)
    approximation = laplace(log_joint, mode[:, 0])
    new = np.array([[2.0, 1.0], [-1.0, 1.0], [6.0, 1.0]], "f")

    grid = np.linspace(-6, 8, 400)
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    eta = points @ X.T
    log_p = eta @ Y - np.logaddexp(0, eta).sum(1) - 0.5 * (points**2).sum(1) - np.log(2 * np.pi)
    density = np.exp(log_p).reshape(400, 400)

    def integral(values):
        return integrate.simpson(integrate.simpson(values, x=grid), x=grid)

    evidence = integral(density)
    np.testing.assert_allclose(approximation.log_evidence, np.log(evidence), atol=0.1)
    want = [integral(density * (1 / (1 + np.exp(-points @ x))).reshape(400, 400)) / evidence for x in new]
    got = logistic_probability(approximation, new)
    np.testing.assert_allclose(got, want, atol=0.02)
    at_mode = jax.nn.sigmoid(new @ mode)[:, 0]
    assert (np.abs(got - 0.5) < np.abs(at_mode - 0.5)).all()
