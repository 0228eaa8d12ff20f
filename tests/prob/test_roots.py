"""Bayes' rule by square roots: right to float32's digits where a difference of covariances would keep none."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from adl.prob import gaussian
from adl.prob.gaussian import LinearGaussian, MultivariateNormal
from adl.prob.roots import compress, eliminate, root_of

RNG = np.random.default_rng(0)


def bayes(model, prior, y):
    """Mean and covariance of x given y, with sixty digits."""
    with mpmath.workdps(60):
        a, b, r, m, s, y = (mpmath.matrix(np.asarray(v, float).tolist()) for v in (*model, *prior, y))
        gain = s * a.T * (a * s * a.T + r) ** -1
        mean, covariance = m + gain * (y - a * m - b), s - gain * a * s
        return np.array(mean.tolist(), float).ravel(), np.array(covariance.tolist(), float)


def single(*arrays):
    return (jnp.asarray(a, jnp.float32) for a in arrays)


@pytest.mark.parametrize(("dim", "num_seen"), [(1, 1), (2, 3), (4, 6), (3, 2)])
def test_wide_priors_and_little_noise(dim, num_seen):
    rules = jax.jit(lambda model, prior, y: (model.posterior(prior, y), model.reverse(prior)))
    for wide, noise in ((1e8, 1e-4), (1e8, 1.0), (1e4, 1e-4), (1.0, 1.0), (1e-4, 1e8)):
        a = RNG.normal(size=(num_seen, dim))
        model = LinearGaussian(*single(a, RNG.normal(size=num_seen), noise * np.eye(num_seen)))
        prior = MultivariateNormal(*single(np.zeros(dim), wide * np.eye(dim)))
        (y,) = single(a @ RNG.normal(size=dim))
        mean, covariance = bayes(model, prior, y)
        posterior, back = rules(model, prior, y)
        for ours in (posterior, back):
            np.testing.assert_allclose(ours.covariance, covariance, rtol=1e-5, atol=1e-5 * np.abs(covariance).max())
        error = np.abs(posterior.loc - mean)
        assert (error < 3e-3 * np.sqrt(np.diag(covariance)) + 1e-6 * np.abs(mean)).all()


@pytest.mark.parametrize(
    ("prior", "noise"),
    [
        ([[1e8, 5e7], [5e7, 1e8]], 1e-4 * np.eye(2)),
        ([[1.0, 1.0], [1.0, 1.0]], np.eye(2)),
        ([[0.0, 0.0], [0.0, 1.0]], np.eye(2)),
        (np.eye(2), [[0.25, 0.5], [0.5, 1.0]]),
    ],
)
def test_priors_and_noise_without_width_in_some_direction(prior, noise):
    model = LinearGaussian(*single(np.eye(2), np.zeros(2), noise))
    prior = MultivariateNormal(*single([1.0, 2.0], prior))
    (y,) = single([3.0, 4.0])
    mean, covariance = bayes(model, prior, y)
    ours = model.posterior(prior, y)
    np.testing.assert_allclose(ours.covariance, covariance, rtol=1e-5, atol=1e-6 * np.abs(covariance).max())
    np.testing.assert_allclose(ours.loc, mean, rtol=1e-5, atol=1e-6)


def test_product_of_wide_and_narrow():
    wide, narrow = (MultivariateNormal(*single([m], [[v]])) for m, v in ((0.0, 1e8), (5.0, 1e-2)))
    for first, second in ((wide, narrow), (narrow, wide)):
        both, scale = gaussian.product(first, second)
        np.testing.assert_allclose(both.covariance, [[1e-2]], rtol=1e-6)
        np.testing.assert_allclose(both.loc, [5.0], rtol=1e-6)
        np.testing.assert_allclose(scale, -0.5 * np.log(2 * np.pi * 1e8) - 25 / 2e8, rtol=1e-6)


def test_what_float32_cannot_know_is_nan_and_never_negative():
    """Of a matrix that is not positive there is no conditional, and no marginal of its inverse."""
    bad = jnp.array([[1.0, 1.001], [1.001, 1.0]])
    assert np.isnan(MultivariateNormal(jnp.zeros(2), bad).conditional([0], jnp.ones(1)).covariance).all()
    assert np.isnan(gaussian.PrecisionForm(jnp.zeros(2), bad).marginal([0]).precision).all()
    conditional = jax.jit(lambda both: both.conditional([0], jnp.ones(1)))
    for scale in 10.0 ** np.arange(-12, 13):
        both = MultivariateNormal(*single(np.zeros(2), scale * np.array([[3.0, 3.0], [3.0, 3.0001]])))
        left = conditional(both).covariance
        np.testing.assert_allclose(left, scale * np.float32(3.0001) - scale * 3, rtol=5e-3)


def test_slopes_are_those_of_the_formula():
    """Also where variances agree, or are not correlated: the root is no eigendecomposition."""
    model = LinearGaussian(*single(np.eye(2)[:1] + 1, np.zeros(1), np.eye(1)))
    prior = MultivariateNormal(*single(np.zeros(2), np.eye(2)))

    def formula(model, prior, y):
        s, a = prior.covariance, model.matrix
        gain = s @ a.T @ jnp.linalg.inv(a @ s @ a.T + model.covariance)
        return prior.loc + gain @ (y - model.offset - a @ prior.loc), s - gain @ a @ s

    def combined(rule):
        return lambda *args: sum((jnp.cos(jnp.arange(v.size)) * v.ravel()).sum() for v in rule(*args))

    y = jnp.array([0.7])
    ours, want = (
        jax.jit(jax.grad(combined(rule), (0, 1, 2)))(model, prior, y) for rule in (LinearGaussian.posterior, formula)
    )

    def symmetric(tree):
        return jax.tree.map(lambda v: v + v.T if v.ndim == 2 and len(v) == v.shape[1] else v, tree)

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), symmetric(ours), symmetric(want))


def test_compressed_and_eliminated_keep_the_square():
    w = jnp.asarray(RNG.normal(size=(3, 7)), jnp.float32)
    lower = compress(w)
    np.testing.assert_allclose(lower, np.linalg.cholesky(w @ w.T), rtol=1e-4, atol=1e-5)
    columns, rest = eliminate(w, 2)
    np.testing.assert_allclose(columns @ columns.T + rest @ rest.T, w @ w.T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rest[:2], 0, atol=1e-5)
    np.testing.assert_allclose(root_of(w @ w.T), lower, rtol=1e-3, atol=1e-4)
