"""Langevin steps: the bias of a finite step in closed form, the acceptance that removes it, and BlackJAX's MALA."""

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import jitted, trace
from adl.sampling import diagnostics, hmc
from adl.sampling.langevin import langevin, mala

KEY = jax.random.key(0)
STD = jnp.array([0.5, 1.0, 2.0])


def gaussian(x):
    return -0.5 * ((x / STD) ** 2).sum()


def score(x):
    return -x / STD[None] ** 2


@pytest.mark.parametrize("temperature", [1.0, 0.25])
@pytest.mark.parametrize("step_size", [0.1, 0.6])
def test_stationary_variance_has_the_known_bias(step_size, temperature):
    """x' = (1 - eps^2 / (2 s^2)) x + eps sqrt(T) n has the variance T s^2 / (1 - eps^2 / (4 s^2)) if any."""
    want = temperature * STD**2 / (1 - step_size**2 / (4 * STD**2))
    x = jnp.sqrt(want)[None] * jax.random.normal(KEY, (20_000, 3))
    x = langevin(jax.random.key(1), x, score, step_size=step_size, num_steps=40, temperature=temperature)
    for column, variance in zip(np.asarray(x).T, want, strict=True):
        assert stats.kstest(column / np.sqrt(variance), "norm").pvalue > 1e-3
    if step_size > 0.5:  # the bias is large enough to be seen
        assert stats.kstest(np.asarray(x)[:, 0] / (0.5 * np.sqrt(temperature)), "norm").pvalue < 1e-6


def test_mean_path_is_the_recursions():
    """n steps contract a start by (1 - eps^2 / (2 s^2))^n, in every coordinate, exactly where there is no noise."""
    start = jnp.ones((4, 3))
    x = langevin(KEY, start, score, step_size=0.3, num_steps=7, temperature=0.0)
    np.testing.assert_allclose(x, np.broadcast_to((1 - 0.045 / np.asarray(STD) ** 2) ** 7, (4, 3)), rtol=1e-5)
    np.testing.assert_array_equal(langevin(KEY, start, score, step_size=0.3, num_steps=0), start)


def test_too_long_steps_diverge():
    x = langevin(KEY, jnp.ones((10, 3)), score, step_size=1.05, num_steps=100)  # 2 s of the first coordinate is 1
    assert jnp.abs(x[:, 0]).min() > 10 and jnp.abs(x[:, 2]).max() < 20


def quartic(x):
    return -0.25 * (x**4).sum() - 0.5 * jnp.sin(x).sum() ** 2


def test_energy_error_is_the_metropolis_hastings_ratio():
    """min(1, p(x') q(x | x') / (p(x) q(x' | x))) from the proposal's own density."""
    epsilon, unit = 0.4, jnp.ones(3)

    def once(key):
        start_key, key = jax.random.split(key)
        start = hmc.at(quartic, jax.random.normal(start_key, (3,)), jax.random.normal(key, (3,)))
        end = hmc.leapfrog(quartic, start, epsilon, unit)

        def log_q(to, of):
            mean = of.position + 0.5 * epsilon**2 * of.gradient
            return -0.5 * (((to.position - mean) / epsilon) ** 2).sum()

        ratio = end.log_density + log_q(start, end) - start.log_density - log_q(end, start)
        return ratio, hmc.energy(unit, start) - hmc.energy(unit, end)

    ratio, error = jax.vmap(once)(jax.random.split(KEY, 200))
    np.testing.assert_allclose(error, ratio, rtol=1e-3, atol=1e-4)
    assert ratio.min() < -0.1


def test_mala_is_exact_and_accepts_as_often_as_blackjaxs():
    step_size = 0.6  # at which the unadjusted variance of the first coordinate is off by a half
    alg = jitted(mala(gaussian, lambda key: STD * jax.random.normal(key, (3,)), num_chains=64, num_warmup=0,
                      step_size=step_size))  # fmt: skip
    state, x = jax.jit(trace(alg, 2000, lambda chain: chain.position))(KEY, alg.init(KEY, ()))
    x = x.swapaxes(0, 1)
    z = (jnp.square(x).mean((0, 1)) - STD**2) / diagnostics.standard_error(x**2)
    assert jnp.abs(z).max() < 4 and (diagnostics.standard_error(x**2) / STD**2).max() < 0.05
    ours = np.mean([alg.step(key, jax.tree.map(jnp.copy, state), ())[1]["acceptance"].value
                    for key in jax.random.split(KEY, 100)])  # fmt: skip

    theirs = blackjax.mala(gaussian, 0.5 * step_size**2)
    keys = jax.random.split(jax.random.key(2), 6400)
    starts = jnp.tile(x[:, -1], (100, 1))
    rate = jax.vmap(lambda key, start: theirs.step(key, theirs.init(start))[1].acceptance_rate)(keys, starts)
    np.testing.assert_allclose(ours, rate.mean(), atol=0.01)


def test_warmup_finds_the_acceptance_that_is_best():
    alg = mala(gaussian, lambda key: jax.random.normal(key, (3,)), num_chains=16, num_warmup=500)
    alg = jitted(alg)
    state, _ = jax.jit(trace(alg, 500, lambda chain: ()))(KEY, alg.init(KEY, ()))
    accepted = []
    for key in jax.random.split(KEY, 200):
        state, metrics = alg.step(key, state, ())
        accepted.append(metrics["acceptance"].value)
    np.testing.assert_allclose(np.mean(accepted), 0.574, atol=0.1)
