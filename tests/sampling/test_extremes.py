"""Weights of any level and none at all, bounds and brackets that do not hold, long filters: right, or nan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import trace
from adl.sampling import importance, metropolis
from adl.sampling.adaptive_rejection import adaptive_rejection
from adl.sampling.annealed import annealed_importance
from adl.sampling.importance import Weighted, effective_size
from adl.sampling.inversion import bisection
from adl.sampling.particle_filter import particle_filter
from adl.sampling.rejection import rejection
from adl.sampling.resampling import SCHEMES, resample, taken
from adl.sampling.simulation_based import calibration_ranks
from adl.sampling.smc import smc_sampler

KEY = jax.random.key(0)


@pytest.mark.parametrize("level", [1e6, -1e7, 1e15])
def test_equal_weights_are_worth_all_at_any_level(level):
    np.testing.assert_allclose(effective_size(jnp.full(1000, level)), 1000, rtol=1e-5)
    np.testing.assert_allclose(importance.log_normaliser(jnp.full(1000, level)), level, rtol=1e-7)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_without_weights_nothing_is_drawn(scheme):
    one = jnp.where(jnp.arange(5) == 3, -2.0, -jnp.inf)
    assert (resample(KEY, one, 7, scheme=scheme) == 3).all()
    for log_weight in (jnp.full(5, -jnp.inf), one.at[0].set(jnp.nan), one.at[0].set(jnp.inf)):
        index = resample(KEY, log_weight, 7, scheme=scheme)
        assert (index == 5).all() and np.isnan(taken(jnp.arange(5.0), index)).all()
    drawn = importance.resampled(KEY, Weighted(jnp.arange(5.0), jnp.full(5, -jnp.inf)), 3, scheme=scheme)
    assert np.isnan(drawn).all()


def test_draws_outside_the_target_do_not_count_whatever_the_proposal_says():
    weighted = importance.importance(
        KEY, lambda x: jnp.where(x > 0, -x, -jnp.inf), jax.random.normal, lambda x: jnp.where(x > 0, -1.0, -jnp.inf),
        num_samples=50,
    )  # fmt: skip
    assert not np.isnan(weighted.log_weight).any() and effective_size(weighted.log_weight) > 5


def test_a_search_outside_its_bracket_finds_nothing():
    p = jnp.array([0.01, 0.5, 0.99, -0.1, 1.1, jnp.nan])
    found = bisection(jax.scipy.special.ndtr, p, low=-1.0, high=1.0)
    np.testing.assert_allclose(found[1], 0, atol=1e-6)
    assert np.isnan(found[jnp.array([0, 2, 3, 4, 5])]).all()


def test_draws_by_a_bound_that_does_not_hold_are_nan():
    def draw(log_density, log_bound):
        once = lambda key: rejection(key, log_density, jax.random.uniform, lambda x: 0.0 * x, log_bound=log_bound)  # noqa: E731
        return jax.vmap(once)(jax.random.split(KEY, 200))

    kept = draw(lambda x: 2 * x, 1.0)
    np.testing.assert_array_equal(np.isnan(kept.x), kept.excess > 1e-3)
    assert np.isnan(kept.x).mean() > 0.2
    assert np.isfinite(draw(lambda x: 2 * x, 2.0).x).all()
    assert np.isnan(draw(lambda x: jnp.nan * x, 0.0).x).all()
    assert np.isnan(draw(lambda x: x, jnp.inf).x).all()


WRONG = {
    "two modes": (lambda x: jnp.logaddexp(-0.5 * (x - 2) ** 2, -0.5 * (x + 2) ** 2), [-3.0, 3.0], {}),
    "cauchy": (lambda x: -jnp.log1p(x**2), [-1.0, 1.0], {}),
    "student": (lambda x: -2 * jnp.log1p(x**2 / 3), [-0.5, 0.5], {}),
    "no way down": (lambda x: -0.5 * x**2, [1.0, 2.0], {}),
    "outside": (lambda x: jnp.log(x) - x, [-1.0, 2.0], {"low": -2.0}),
    "convex": (lambda x: -0.5 * jnp.log(x) - x, [0.1, 2.0], {"low": 0.0}),
}


@pytest.mark.parametrize("name", WRONG)
def test_densities_that_are_not_log_concave_have_no_draws(name):
    log_density, start, ends = WRONG[name]
    x, *_ = adaptive_rejection(KEY, log_density, jnp.array(start), 500, capacity=24, **ends)
    assert np.isnan(x).all()


@pytest.mark.parametrize("place, scale", [(1e4, 1.0), (0.0, 1e-15), (0.0, 1e15)])
def test_adaptive_rejection_holds_at_any_place_and_scale(place, scale):
    x, *_ = adaptive_rejection(
        KEY,
        lambda x: -0.5 * ((x - place) / scale) ** 2 + 1e3,
        place + scale * jnp.array([-1.0, 2.0]),
        3000,
        capacity=24,
    )
    assert stats.kstest((np.asarray(x, float) - place) / scale, "norm").pvalue > 1e-3


def filtered(y, log_likelihood, num_particles: int = 64):
    """A walk, and what is seen of it."""
    alg = particle_filter(
        lambda key: jax.random.normal(key),
        lambda key, x: 0.9 * x + 0.3 * jax.random.normal(key),
        log_likelihood=log_likelihood,
        num_particles=num_particles,
    )

    def run(state, inputs):
        key, y = inputs
        return alg.step(key, state, y)[0], None

    state = alg.init(KEY, y[0])
    return jax.jit(lambda: jax.lax.scan(run, state, (jax.random.split(KEY, len(y)), y))[0])()


def seen(level: float):
    return lambda x, y: -0.5 * (y - x) ** 2 + level


def test_likelihoods_add_over_long_times():
    """Of observations that tell nothing of the state, log p is a sum of given numbers: plain float32 loses 3.6 nats."""
    y = np.random.default_rng(0).normal(size=(50_000, 1)).astype("f") - 20
    found = filtered(jnp.asarray(y), lambda x, y: y, num_particles=2)
    want = y.astype(float).sum()
    assert abs(found.log_likelihood[0] - want) < 0.2
    np.testing.assert_allclose(np.exp(found.log_weight).sum(), 1, rtol=1e-5)


def test_a_filter_is_the_same_at_any_level():
    y = jnp.asarray(np.random.default_rng(0).normal(size=(30, 1)), jnp.float32)
    near, far = filtered(y, seen(0.0), 256), filtered(y, seen(-1e6), 256)
    # What a particle says is known to 0.06 nats beside 1e6.
    np.testing.assert_allclose(far.log_likelihood + 3e7, near.log_likelihood, atol=4)
    np.testing.assert_allclose(
        (jnp.exp(far.log_weight) * far.x).sum(), (jnp.exp(near.log_weight) * near.x).sum(), atol=0.2
    )


def test_an_observation_that_nothing_explains_is_impossible_and_the_filter_goes_on():
    y = jnp.array([[0.0], [jnp.inf], [0.1]])
    found = filtered(y, seen(0.0))
    assert found.log_likelihood == -np.inf and np.isfinite(found.log_weight).all()


def test_annealing_goes_on_though_most_particles_lie_outside():
    """Of a standard normal a tenth is above 1.28: log Z is the log of that."""
    move, end = metropolis.transition, 1.2816

    def log_density(x):
        return jnp.where(x[0] > end, -0.5 * x[0] ** 2, -jnp.inf)

    alg = smc_sampler(
        log_density, lambda key: jax.random.normal(key, (1,)), log_reference=lambda x: -0.5 * x[0] ** 2, move=move,
        num_particles=2000, num_moves=5,
    )  # fmt: skip
    state, _ = jax.jit(lambda: trace(alg, 4, lambda s: ())(KEY, alg.init(KEY, ()), ()))()
    assert state.inverse_temperature == 1 and (state.position > end).all()
    np.testing.assert_allclose(state.log_normaliser, np.log(0.1), atol=4 * np.sqrt(9 / 2000))
    chains = annealed_importance(
        log_density, lambda key: jax.random.normal(key, (1,)), log_reference=lambda x: -0.5 * x[0] ** 2, move=move,
        inverse_temperatures=jnp.linspace(0, 1, 4), num_chains=2000, step_size=0.5,
    )  # fmt: skip
    state, _ = jax.jit(lambda: trace(chains, 6, lambda s: ())(KEY, chains.init(KEY, ()), ()))()
    assert not np.isnan(state.log_weight).any()
    np.testing.assert_allclose(importance.log_normaliser(state.log_weight), np.log(0.1), atol=4 * np.sqrt(9 / 2000))


def test_ranks_among_what_is_not_a_number_are_none():
    def posterior(key, y):
        return jnp.stack([jnp.linspace(-1, 1, 9), jnp.full(9, jnp.nan)], 1)

    ranks = calibration_ranks(KEY, lambda key: jnp.zeros(2), lambda key, theta: theta, posterior, num_simulations=3)
    assert (ranks[:, 0] == 4).all() and (ranks[:, 1] == -1).all()
