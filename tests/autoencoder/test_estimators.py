"""Estimators of gradients against the exact one: those without bias agree in the mean, the others by how much."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from adl.autoencoder import estimators as est
from adl.autoencoder.latents import DiagonalNormal

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
LOGITS = jnp.asarray(RNG.normal(size=(3, 4)), "float32")
TABLE = jnp.asarray(RNG.normal(size=(3, 4)), "float32")


def curved(z):
    """Neither linear nor even: each estimator that is biased shows it."""
    s = (z * TABLE).sum()
    return jnp.square(s) + jnp.sin(3 * s)


EXACT = jax.grad(functools.partial(est.enumerated, curved))(LOGITS)


def judged(estimator, num=40000, f=curved, parameters=LOGITS, exact=EXACT):
    return jax.jit(lambda: est.judged_gradient(KEY, estimator, f, parameters, exact, num=num))()


def test_the_exact_one_is_the_sum_over_all_values():
    p = special.softmax(np.asarray(LOGITS, float), -1)
    table, total = np.asarray(TABLE, float), 0.0
    for pick in itertools.product(range(4), repeat=3):
        s = table[np.arange(3), pick].sum()
        total += p[np.arange(3), pick].prod() * (s**2 + np.sin(3 * s))
    np.testing.assert_allclose(est.enumerated(curved, LOGITS), total, rtol=1e-5)
    eps = 1e-2
    for i, k in ((0, 1), (2, 3)):
        up, down = (est.enumerated(curved, LOGITS.at[i, k].add(sign * eps)) for sign in (1, -1))
        np.testing.assert_allclose(EXACT[i, k], (up - down) / (2 * eps), atol=1e-3)
    with pytest.raises(AssertionError, match="too many"):
        est.enumerated(curved, jnp.zeros((20, 4)))


@pytest.mark.parametrize(
    "estimator",
    [
        est.score_function,
        functools.partial(est.score_function, baseline=1.5),
        functools.partial(est.score_leave_one_out, num_samples=4),
    ],
)
def test_scores_are_without_bias(estimator):
    seen = judged(estimator)
    assert abs(seen.bias) < 6 * seen.variance / 40000 * np.sqrt(2)
    assert seen.exact > 20 * seen.variance / 40000  # the test would see a wrong factor
    np.testing.assert_allclose(seen.error, seen.bias + seen.variance, rtol=1e-2)


@pytest.mark.parametrize("estimator", [est.straight_through, functools.partial(est.gumbel_softmax, temperature=1.0)])
def test_what_is_relaxed_is_biased(estimator):
    seen = judged(estimator)
    assert seen.bias > 20 * seen.variance / 40000
    assert seen.variance < judged(est.score_function).variance


def test_bias_falls_and_variance_rises_as_the_temperature_falls():
    hot, cold = (judged(functools.partial(est.gumbel_softmax, temperature=t)) for t in (2.0, 0.2))
    assert cold.bias < hot.bias / 2 and cold.variance > 2 * hot.variance


def test_straight_through_is_exact_where_f_is_affine():
    def affine(z):
        return (z * TABLE).sum()

    exact = jax.grad(functools.partial(est.enumerated, affine))(LOGITS)
    seen = judged(est.straight_through, 200, affine, LOGITS, exact)
    np.testing.assert_allclose([seen.bias, seen.variance], 0, atol=1e-8)


def test_values_are_of_the_function_at_a_draw():
    at = {
        float(v)
        for v in np.round(jax.vmap(curved)(jnp.asarray(np.eye(4)[list(itertools.product(range(4), repeat=3))])), 3)
    }
    hard = functools.partial(est.gumbel_straight_through, temperature=0.5)
    for estimator in (est.score_function, est.straight_through, hard):
        drawn = jax.vmap(lambda key, estimator=estimator: estimator(key, curved, LOGITS))(jax.random.split(KEY, 50))
        assert all(min(abs(float(v) - a) for a in at) < 2e-3 for v in drawn)


def test_a_baseline_and_other_draws_take_noise_away():
    """Per draw: of four that are baselines of each other the mean has less than a quarter of one's variance."""
    far = lambda z: curved(z) + 10.0  # noqa: E731
    one = judged(est.score_function, f=far)
    based = judged(functools.partial(est.score_function, baseline=10.0), f=far)
    four = judged(functools.partial(est.score_leave_one_out, num_samples=4), f=far)
    assert based.variance < one.variance / 4 and four.variance < one.variance / 16


def test_gaussians_against_quadrature():
    """E sin(z) + z^2: exact by Gauss-Hermite; both estimators are without bias, the reparameterised of less noise."""
    q = DiagonalNormal(jnp.array([0.3, -0.5]), jnp.array([-0.2, 0.1]))

    def f(z):
        return (jnp.sin(z) + jnp.square(z)).sum()

    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def expected(q):
        z = q.mean[:, None] + jnp.exp(q.log_std)[:, None] * jnp.asarray(nodes, "float32")[None]
        return ((jnp.sin(z) + jnp.square(z)) * jnp.asarray(weights / weights.sum(), "float32")[None]).sum()

    exact = jax.grad(expected)(q)
    found = {name: judged(getattr(est, name), 40000, f, q, exact) for name in ("reparameterised", "gaussian_score")}
    for seen in found.values():
        assert abs(seen.bias) < 6 * seen.variance / 40000 * 2
    assert found["reparameterised"].variance < found["gaussian_score"].variance / 2


def test_one_draw_has_no_others():
    with pytest.raises(ValueError, match="baseline"):
        est.score_leave_one_out(KEY, curved, LOGITS, num_samples=1)
