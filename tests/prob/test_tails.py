"""Cumulative distribution functions where JAX's special functions give numbers that are no probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from adl.prob.continuous import Beta, Gamma, StudentT
from adl.prob.discrete import NegativeBinomial, Poisson
from adl.prob.tails import beta_tails, gamma_tails

SINGLE = np.float32
SIZES = [1e-10, 1e-3, 0.1, 0.5, 1.0, 5.0, 10.0, 100.0, 1e4, 1e6, 1e7]


def test_large_parameters():
    f = jnp.float32
    seen = [
        Poisson(f(1e6)).cdf(f(1e6)),
        Gamma(f(1e7), f(1)).cdf(f(1e7)),
        Beta(f(1e5), f(1e5)).cdf(f(0.5)),
        Beta(f(1e6), f(1e7)).cdf(f(1 / 11)),
        NegativeBinomial(f(0.5), f(1e-6)).cdf(f(1e6)),
    ]
    want = [
        stats.poisson(1e6).cdf(1e6),
        special.gammainc(1e7, 1e7),
        0.5,
        special.betainc(1e6, 1e7, float(SINGLE(1 / 11))),
        stats.nbinom(0.5, 1e-6 / (1 + 1e-6)).cdf(1e6),
    ]
    np.testing.assert_allclose(seen, want, atol=1e-4)


def test_gamma_tails_are_scipys():
    tails = jax.jit(gamma_tails)
    for a in SIZES:
        x = np.concatenate(
            [np.maximum(a + np.linspace(-6, 6, 25) * np.sqrt(a), 0), a * np.exp(np.linspace(-30, 6, 25))]
        )
        x, a = x.astype("f"), SINGLE(a)
        exact = special.gammainc(float(a), x.astype(float)), special.gammaincc(float(a), x.astype(float))
        np.testing.assert_allclose(tails(a, x), exact, atol=1e-5)


def test_beta_tails_are_scipys():
    tails = jax.jit(lambda a, b, x: beta_tails(a, b, x, 1 - x))
    for a in SIZES[1:]:
        for b in SIZES[1:]:
            mean = a / (a + b)
            near = mean + np.linspace(-5, 5, 21) * np.sqrt(mean * (1 - mean) / (a + b + 1))
            x = np.clip(np.concatenate([near, special.expit(np.linspace(-30, 16, 21))]), 1e-30, 1 - 6e-8).astype("f")
            low, high = tails(SINGLE(a), SINGLE(b), x)
            want = special.betainc(float(SINGLE(a)), float(SINGLE(b)), x.astype(float))
            np.testing.assert_allclose(low, want, atol=1e-4, err_msg=f"{a}, {b}")
            np.testing.assert_allclose(high, 1 - want, atol=1e-4, err_msg=f"{a}, {b}")


def test_ends_and_nan():
    np.testing.assert_array_equal(
        jax.jit(gamma_tails)(2.0, jnp.array([0, jnp.inf, jnp.nan])), [[0, 1, np.nan], [1, 0, np.nan]]
    )
    x = jnp.array([0, 1, jnp.nan])
    np.testing.assert_array_equal(jax.jit(beta_tails)(2.0, 3.0, x, 1 - x), [[0, 1, np.nan], [1, 0, np.nan]])


@jax.jit
def student(z, dof):
    """The cumulative distribution function of Student's t and its slope, at places [N]."""
    return jax.vmap(jax.value_and_grad(lambda z: StudentT(jnp.float32(0), jnp.float32(1), dof).cdf(z)))(z)


@pytest.mark.parametrize("dof", [pytest.param(0.5, marks=pytest.mark.full), 3.0, 999.0, 1001.0, np.inf])
def test_student_s_in_the_middle_and_at_the_ends(dof):
    """Value and slope: at 0 the tail's own form has neither."""
    z = np.array([-30, -1.001, -1, -0.005, 0, 0.005, 0.9, 2, 50, -np.inf, np.inf, np.nan], "f")
    theirs = stats.norm if np.isinf(dof) else stats.t(dof)
    cdf, slope = student(z, np.float32(dof))
    z = z[:-3].astype(float)
    np.testing.assert_allclose(cdf[:-3], theirs.cdf(z), atol=5e-7)
    np.testing.assert_allclose(slope[:-3], theirs.pdf(z), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(cdf[-3:], [0, 1, np.nan])


def test_slopes_in_the_parameters():
    slope = jax.jit(jax.vmap(jax.grad(lambda a, b, x: beta_tails(a, b, x, 1 - x)[0], (0, 1))))
    points = np.array([[2, 5, 0.3], [0.5, 0.5, 0.001], [5, 5, 0.5], [1e5, 1e5, 0.5], [1e-3, 3, 0.2]]).T
    a, b, x = points
    ours = slope(*(jnp.asarray(v, jnp.float32) for v in points))
    h = 1e-5
    of_a = (special.betainc(a * (1 + h), b, x) - special.betainc(a * (1 - h), b, x)) / (2 * h * a)
    of_b = (special.betainc(a, b * (1 + h), x) - special.betainc(a, b * (1 - h), x)) / (2 * h * b)
    np.testing.assert_allclose(ours, (of_a, of_b), rtol=1e-3)
