"""Log-probabilities against SciPy, divergences against quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from adl.prob.distributions import (
    bernoulli_log_prob,
    categorical_entropy,
    categorical_log_prob,
    normal_kl,
    normal_log_prob,
    student_t_log_prob,
)


@pytest.mark.parametrize("x", [0, 1])
def test_bernoulli_is_scipys(x):
    logits = np.linspace(-15, 15, 13)
    with np.errstate(divide="ignore"):
        want = stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits)))
    np.testing.assert_allclose(
        bernoulli_log_prob(jnp.float32(x), jnp.asarray(logits, "float32")), want, rtol=1e-5, atol=1e-6
    )


def test_bernoulli_is_finite_at_any_logit():
    logits = jnp.array([-1e4, -120.0, 120.0, 1e4])
    for x, want in ((0.0, [0, 0, -120, -1e4]), (1.0, [-1e4, -120, 0, 0])):
        np.testing.assert_allclose(bernoulli_log_prob(x, logits), want, atol=1e-6)
        assert np.isfinite(jax.grad(lambda z, x=x: bernoulli_log_prob(x, z).sum())(logits)).all()


def test_normal_is_scipys():
    x, mean, std = np.array([0.3, -4.0, 2.0]), np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.1, 5.0])
    got = normal_log_prob(jnp.asarray(x), jnp.asarray(mean), jnp.log(std))
    np.testing.assert_allclose(got, stats.norm.logpdf(x, mean, std), rtol=1e-5)


@pytest.mark.parametrize("dof", [0.5, 1, 4, 7.9, 8, 30, 1e4, 1e8, np.inf])
def test_student_t_is_scipys(dof):
    x = np.array([-1e4, -3.0, 0.0, 0.5, 0.7, 100.0])
    want = stats.t.logpdf(x, dof, 0.5, 2.0)
    got = student_t_log_prob(jnp.asarray(x), 0.5, jnp.log(2.0), jnp.float32(dof))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.5, 0.3), (-2.0, 2.0)])
def test_kl_is_the_integral(mean, std):
    q, p = stats.norm(mean, std), stats.norm(0, 1)
    want, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), mean - 12 * std, mean + 12 * std)
    np.testing.assert_allclose(normal_kl(mean, np.log(std)), want, atol=1e-6)


def test_categorical_is_scipys():
    logits = np.random.default_rng(0).normal(size=(4, 5)) * [[0.1], [1.0], [10.0], [100.0]]
    p, x = special.softmax(logits, -1), np.array([0, 4, 2, 1])
    got = categorical_log_prob(jnp.asarray(x), jnp.asarray(logits, "float32"))
    np.testing.assert_allclose(got, special.log_softmax(logits, -1)[np.arange(4), x], rtol=1e-5, atol=1e-5)
    got = categorical_entropy(jnp.asarray(logits, "float32"))
    np.testing.assert_allclose(got, stats.entropy(p, axis=-1), rtol=1e-4, atol=1e-6)


def test_a_head_that_starts_at_zero_learns_by_x_less_a_half():
    slope = jax.vmap(jax.grad(bernoulli_log_prob, 1))
    x = jnp.array([1.0, 0, 0.3, 1, 0, 1, 0])
    logits = jnp.array([0.0, 0, 0, 3, 3, jnp.inf, -jnp.inf])
    np.testing.assert_allclose(slope(x, logits), x - jax.nn.sigmoid(logits), atol=1e-7)
    np.testing.assert_allclose(bernoulli_log_prob(x, logits)[-2:], 0)


def test_masked_classes_do_not_count():
    """What policies have where actions are forbidden: value and slope of those that are left."""
    free = jnp.array([[0.0, 0.0], [1.0, -2.0]])
    masked = jnp.concatenate([free, jnp.full((2, 1), -jnp.inf)], 1)
    np.testing.assert_allclose(categorical_entropy(masked), categorical_entropy(free), rtol=1e-6)
    slope = jax.grad(lambda z: categorical_entropy(z).sum())(masked)
    np.testing.assert_allclose(slope[:, :2], jax.grad(lambda z: categorical_entropy(z).sum())(free), atol=1e-6)
    np.testing.assert_array_equal(slope[:, 2], 0)
    chosen = jax.grad(lambda z: categorical_log_prob(jnp.array([0, 1]), z).sum())(masked)
    np.testing.assert_allclose(chosen, jax.nn.one_hot(jnp.array([0, 1]), 3) - jax.nn.softmax(masked), atol=1e-6)
