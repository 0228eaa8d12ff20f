"""Ways from a density that is known to one that is not: normalisers in closed form, and modes that only heat finds.

Unbiased estimates are within 4 standard errors, of the spread over independent runs.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import jitted, trace
from adl.sampling import diagnostics, hmc, importance, metropolis
from adl.sampling.annealed import annealed_importance, geometric
from adl.sampling.resampling import SCHEMES
from adl.sampling.smc import increment, smc_sampler
from adl.sampling.tempering import parallel_tempering, swaps

KEY = jax.random.key(0)
SCALE = jnp.array([0.5, 2.0])
MEAN = jnp.array([2.0, -1.0])
LOG_Z = float(np.log(2 * np.pi * 1.0))  # of the target below, whose standard deviations multiply to 1
HMC = functools.partial(hmc.transition, num_leapfrog=3)


def standard(x):
    """N(0, 3^2), normalised."""
    return -0.5 * ((x / 3) ** 2).sum() - len(x) * (0.5 * jnp.log(2 * jnp.pi) + jnp.log(3.0))


def begin(key):
    return 3 * jax.random.normal(key, (2,))


def target(x):
    return -0.5 * (((x - MEAN) / SCALE) ** 2).sum()


def test_the_path_ends_where_it_should():
    x = jnp.array([1.0, 2.0])
    for b, want in ((0.0, standard(x)), (1.0, target(x)), (0.25, 0.75 * standard(x) + 0.25 * target(x))):
        np.testing.assert_allclose(geometric(standard, target, jnp.asarray(b))(x), want, rtol=1e-6)
    impossible = geometric(standard, lambda x: -jnp.inf * x.sum(), jnp.zeros(()))
    assert jnp.isfinite(impossible(x))


MOVES = [pytest.param(HMC, id="hmc"), pytest.param(metropolis.transition, id="random walk", marks=pytest.mark.full)]


@pytest.mark.parametrize("move", MOVES)
def test_annealed_weights_are_unbiased(move):
    """log Z of a Gaussian by 12 steps: the mean weight within 4 standard errors of Z, and its draws' moments."""
    alg = annealed_importance(
        target,
        begin,
        log_reference=standard,
        inverse_temperatures=jnp.linspace(0, 1, 13),
        move=move,
        num_chains=4000,
        step_size=lambda b: 1.0 - 0.6 * b,
    )
    state, _ = jax.jit(trace(alg, 12, lambda state: ()))(KEY, jitted(alg).init(jax.random.key(1), ()))
    error = importance.log_normaliser_error(state.log_weight)
    assert abs(importance.log_normaliser(state.log_weight) - LOG_Z) < 4 * error < 0.2
    weighted = importance.Weighted(state.position, state.log_weight)
    mean, spread = importance.mean(weighted, jnp.concatenate([weighted.x, weighted.x**2], -1))
    want = jnp.concatenate([MEAN, MEAN**2 + SCALE**2])
    assert (abs(mean - want) < 4 * spread).all()
    # Further steps move, and weigh no more.
    after, _ = alg.step(KEY, state, ())
    np.testing.assert_array_equal(after.log_weight, state.log_weight)


def test_more_steps_scatter_less():
    """And of one step annealing is importance sampling, exactly."""
    scatter = []
    for num in (1, 16):
        alg = annealed_importance(
            target,
            begin,
            log_reference=standard,
            inverse_temperatures=jnp.linspace(0, 1, num + 1),
            move=HMC,
            num_chains=1000,
            step_size=0.4,
        )
        start = alg.init(KEY, ())
        state, _ = jax.jit(trace(alg, num, lambda state: ()))(KEY, start)
        scatter.append(float(importance.log_normaliser_error(state.log_weight)))
        if num == 1:
            plain = jax.vmap(lambda x: target(x) - standard(x))(start.position)
            np.testing.assert_allclose(state.log_weight, plain, rtol=1e-5, atol=1e-5)
    assert scatter[0] > 1.3 * scatter[1]  # 0.072 and 0.042, each known to 5 %


@pytest.fixture(scope="module")
def smc_runs():
    """36 runs of 512 particles: log Z `[36]`, positions, and the schedule of each."""
    alg = smc_sampler(
        target, begin, log_reference=standard, move=HMC, num_particles=512, num_moves=2, step_size=0.7, metric="dense"
    )

    def run(key):
        init_key, key = jax.random.split(key)
        return trace(alg, 8, lambda state: state.inverse_temperature)(key, alg.init(init_key, ()))

    return jax.jit(jax.vmap(run))(jax.random.split(KEY, 36))


def test_smc_samplers_normaliser_and_moments(smc_runs):
    state, schedule = smc_runs
    assert (schedule[:, -1] == 1).all() and (jnp.diff(schedule, axis=1) >= 0).all()
    assert (schedule[:, 0] < 0.9).all()  # it had to anneal
    z = jnp.exp(state.log_normaliser - LOG_Z)
    assert abs(z.mean() - 1) < 4 * z.std() / 6 and z.std() < 0.3
    means = state.position.mean(1)
    assert (abs(means.mean(0) - MEAN) < 4 * means.std(0) / 6).all()
    squares = ((state.position - MEAN[None, None]) ** 2).mean(1)
    assert (abs(squares.mean(0) - SCALE**2) < 4 * squares.std(0) / 6).all()


def test_an_increment_keeps_the_share():
    gain = 5 * jax.random.normal(KEY, (1000,))
    delta = increment(gain, jnp.ones(()), share=0.5)
    np.testing.assert_allclose(importance.effective_size(delta * gain), 500, rtol=1e-3)
    np.testing.assert_allclose(increment(1e-3 * gain, jnp.asarray(0.7), share=0.5), 0.7)
    impossible = gain.at[:300].set(-jnp.inf)
    assert increment(impossible, jnp.ones(()), share=0.5) > 0
    assert set(SCHEMES) == {"multinomial", "stratified", "systematic", "residual"}


def test_swaps_balance():
    """Of two replicas of two states each: p(x) q(y) swap(x, y) is symmetric; and pairs take turns."""
    b, gain = jnp.array([0.3, 1.0]), jnp.array([2.0, -0.5])
    _, here = swaps(KEY, b, gain, jnp.asarray(0))
    _, there = swaps(KEY, b, gain[::-1], jnp.asarray(0))
    np.testing.assert_allclose(jnp.exp(b @ gain) * here[0], jnp.exp(b @ gain[::-1]) * there[0], rtol=1e-5)
    order, _ = swaps(KEY, jnp.linspace(0, 1, 5), jnp.zeros(5), jnp.asarray(0))
    np.testing.assert_array_equal(order, [1, 0, 3, 2, 4])
    order, _ = swaps(KEY, jnp.linspace(0, 1, 5), jnp.zeros(5), jnp.asarray(1))
    np.testing.assert_array_equal(order, [0, 2, 1, 4, 3])


def modes(x):
    """3 / 4 N(-8, 1) + 1 / 4 N(8, 1): 16 standard deviations apart."""
    return jnp.logaddexp(jnp.log(3.0) - 0.5 * (x[0] + 8) ** 2, -0.5 * (x[0] - 8) ** 2)


def wide(x):
    return -0.5 * (x[0] / 10) ** 2


def left(key):
    return -8 + jax.random.normal(key, (1,))


def test_heat_finds_the_mode_that_one_temperature_does_not():
    """All begin in the left mode; the right one has 1 / 4 of the draws, within 4 standard errors."""
    b = [0.0, 0.03, 0.1, 0.3, 1.0]
    alg = parallel_tempering(
        modes, left, log_reference=wide, inverse_temperatures=b, move=HMC, num_chains=16, num_warmup=300
    )
    state, _ = jax.jit(trace(alg, 300, lambda state: ()))(KEY, jitted(alg).init(KEY, ()))
    x = jax.jit(trace(alg, 2000, lambda state: state.position))(jax.random.key(1), state)[1].swapaxes(0, 1)
    is_right = (x[:, :, -1] > 0).astype(float)
    error = diagnostics.standard_error(is_right)[0]
    assert abs(is_right.mean() - 0.25) < 4 * error < 0.12
    hottest = x[:, :, 0] ** 2
    assert abs(hottest.mean() - 100) < 4 * diagnostics.standard_error(hottest)[0]
    cold = hmc.hmc(modes, left, num_chains=16, num_warmup=300, num_leapfrog=3)
    state, _ = jax.jit(trace(cold, 300, lambda state: ()))(KEY, jitted(cold).init(KEY, ()))
    alone = jax.jit(trace(cold, 2000, lambda state: state.position))(KEY, state)[1]
    assert (alone < 0).all()
