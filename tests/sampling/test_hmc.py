"""Hamiltonian transitions: the integrator's geometry, invariance of the target, and moments in closed form."""

import functools

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import jitted, over_seeds, trace, tree
from adl.sampling import adaptation, diagnostics, hmc, nuts

KEY = jax.random.key(0)
COVARIANCE = np.array([[4.0, 1.8, 0.0], [1.8, 1.0, 0.1], [0.0, 0.1, 0.25]], "float32")
MEAN = jnp.array([1.0, -2.0, 3.0])
PRECISION = jnp.asarray(np.linalg.inv(COVARIANCE))
METRICS = {"unit": jnp.ones(3), "diagonal": jnp.array([4.0, 1.0, 0.25]), "dense": jnp.asarray(COVARIANCE)}
MOVES = {
    "hmc": functools.partial(hmc.transition, num_leapfrog=7),
    "nuts": functools.partial(nuts.transition, max_depth=6),
}
FACTORIES = {"hmc": functools.partial(hmc.hmc, num_leapfrog=8), "nuts": nuts.nuts}
FAST = ["hmc", pytest.param("nuts", marks=pytest.mark.full)]


def gaussian(x):
    return -0.5 * (x - MEAN) @ PRECISION @ (x - MEAN)


def quartic(x):
    """Curved, so that no order of the integrator is exact."""
    return -0.25 * (x**4).sum() - 0.5 * jnp.sin(x).sum() ** 2


def wide(key):
    return 5 * jax.random.normal(key, (3,))


def draws(alg, num_warmup, num_draws, key=KEY):
    """`[C, N, D]` after the warm-up."""
    init_key, warm_key, key = jax.random.split(key, 3)
    alg = jitted(alg)
    state, _ = jax.jit(trace(alg, num_warmup, lambda chain: ()))(warm_key, alg.init(init_key, ()))
    return jax.jit(trace(alg, num_draws, lambda chain: chain.position))(key, state)[1].swapaxes(0, 1)


def points(log_density, n=64):
    position, momentum = jax.random.normal(KEY, (2, n, 3))
    return jax.vmap(functools.partial(hmc.at, log_density))(position, momentum)


def flown(log_density, point, step_size, num_steps, inverse_mass):
    def forward(point, _):
        return hmc.leapfrog(log_density, point, step_size, inverse_mass), None

    return jax.lax.scan(forward, point, length=num_steps)[0]


@pytest.mark.parametrize("metric", METRICS)
def test_leapfrog_is_reversible(metric):
    for point in (tree.take(points(quartic), i) for i in range(3)):
        there = flown(quartic, point, 0.1, 30, METRICS[metric] / 4)
        back = flown(quartic, there._replace(momentum=-there.momentum), 0.1, 30, METRICS[metric] / 4)
        assert abs(there.position - point.position).max() > 0.1
        np.testing.assert_allclose(back.position, point.position, atol=2e-4)
        np.testing.assert_allclose(-back.momentum, point.momentum, atol=2e-4)


def test_leapfrog_keeps_volume():
    def flow(z):
        end = flown(quartic, hmc.at(quartic, z[:3], z[3:]), 0.2, 10, METRICS["diagonal"])
        return jnp.concatenate([end.position, end.momentum])

    jacobians = jax.vmap(jax.jacfwd(flow))(jax.random.normal(KEY, (20, 6)))
    np.testing.assert_allclose(jnp.abs(jnp.linalg.det(jacobians)), 1.0, rtol=2e-3)


def test_energy_error_is_of_second_order():
    """Over one time, half the step makes a quarter of the error."""
    with jax.enable_x64():
        start = jax.tree.map(lambda leaf: leaf.astype("float64"), points(quartic))
        unit = jnp.ones(3)

        def error(num_steps):
            step = functools.partial(flown, quartic, step_size=1.6 / num_steps, num_steps=num_steps, inverse_mass=unit)
            end = jax.vmap(step)(start)
            energy = jax.vmap(functools.partial(hmc.energy, unit))
            return float(jnp.sqrt(jnp.mean((energy(end) - energy(start)) ** 2)))

        errors = [error(n) for n in (16, 32, 64, 128)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2, atol=0.3)
    np.testing.assert_allclose(orders[-1], 2, atol=0.05)


@pytest.mark.parametrize("metric", ["diagonal", "dense"])
def test_momentum_has_the_mass_as_covariance(metric):
    inverse_mass = METRICS[metric]
    momenta = jax.vmap(lambda key: hmc.draw_momentum(key, inverse_mass))(jax.random.split(KEY, 20_000))
    mass = np.linalg.inv(inverse_mass) if inverse_mass.ndim == 2 else np.diag(1 / np.asarray(inverse_mass))
    scale = np.sqrt(np.outer(mass.diagonal(), mass.diagonal()))
    np.testing.assert_allclose(np.cov(momenta, rowvar=False) / scale, mass / scale, atol=0.04)


@pytest.mark.parametrize("step_size", [pytest.param(0.1, marks=pytest.mark.full), 0.45])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", MOVES)
def test_a_transition_leaves_the_target_invariant(name, metric, step_size):
    """Exact draws are exact draws after it, also where many are rejected: Kolmogorov and Smirnov see no difference."""
    exact = MEAN[None] + jax.random.normal(KEY, (20_000, 3)) @ jnp.linalg.cholesky(COVARIANCE).T
    step_size = step_size * (4.0 if metric == "dense" else 1.0)

    def once(key, x):
        point = hmc.at(gaussian, x, jnp.zeros(3))
        return MOVES[name](key, gaussian, point, step_size, METRICS[metric])

    after, info = jax.jit(jax.vmap(once))(jax.random.split(jax.random.key(1), len(exact)), exact)
    assert 0.2 < info.acceptance.mean() < 0.999
    assert (after.position != exact).mean() > 0.3
    np.testing.assert_allclose(after.log_density, jax.vmap(gaussian)(after.position), rtol=1e-4, atol=1e-4)
    directions = jnp.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, -2, 0.5]])
    for direction in directions:
        scale = np.sqrt(direction @ COVARIANCE @ direction)
        z = np.asarray((after.position - MEAN[None]) @ direction) / scale
        assert stats.kstest(z, "norm").pvalue > 1e-3
    distance = np.einsum("ni,ij,nj->n", after.position - MEAN[None], PRECISION, after.position - MEAN[None])
    assert stats.kstest(distance, stats.chi2(3).cdf).pvalue > 1e-3


def test_the_invariance_test_can_fail():
    """Without the correction for energy errors the target is not invariant, and the test sees it."""
    exact = MEAN[None] + jax.random.normal(KEY, (20_000, 3)) @ jnp.linalg.cholesky(COVARIANCE).T

    def once(key, x):
        point = hmc.at(gaussian, x, hmc.draw_momentum(key, METRICS["diagonal"]))
        return flown(gaussian, point, 0.45, 7, METRICS["diagonal"]).position

    after = jax.jit(jax.vmap(once))(jax.random.split(jax.random.key(1), len(exact)), exact)
    distance = np.einsum("ni,ij,nj->n", after - MEAN[None], PRECISION, after - MEAN[None])
    assert stats.kstest(distance, stats.chi2(3).cdf).pvalue < 1e-6


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("hmc", "diagonal"),
        ("nuts", "dense"),
        pytest.param("hmc", "dense", marks=pytest.mark.full),
        pytest.param("nuts", "diagonal", marks=pytest.mark.full),
    ],
)
def test_moments_of_a_correlated_gaussian(name, metric):
    alg = FACTORIES[name](gaussian, wide, num_chains=8, num_warmup=500, metric=metric)
    x = draws(alg, 500, 2000)
    assert diagnostics.split_rhat(x).max() < 1.01
    z = (x.mean((0, 1)) - MEAN) / diagnostics.standard_error(x)
    centred = x - MEAN[None, None]
    products = centred[..., :, None] * centred[..., None, :]
    z_products = (products.mean((0, 1)) - COVARIANCE) / diagnostics.standard_error(products)
    assert abs(z).max() < 4 and abs(z_products).max() < 4
    assert (diagnostics.standard_error(x) / np.sqrt(COVARIANCE.diagonal()) < 0.05).all()  # so that it can fail


@pytest.mark.parametrize("name", FAST)
def test_warmup_finds_what_blackjaxs_finds(name):
    """Scales ten thousand apart: the same step size, at which either accepts more than the 0.8 that it aims at."""
    scales, num_chains, num_warmup = jnp.array([100.0, 1.0, 0.01]), 16, 1000

    def log_density(x):
        return -0.5 * ((x / scales) ** 2).sum()

    peer, options = (blackjax.hmc, {"num_integration_steps": 8}) if name == "hmc" else (blackjax.nuts, {})
    warmup = blackjax.window_adaptation(peer, log_density, **options)
    starts = scales[None] * jax.vmap(wide)(jax.random.split(KEY, num_chains))
    keys = jax.random.split(jax.random.key(1), num_chains)
    (_, theirs), _ = jax.jit(jax.vmap(lambda key, x: warmup.run(key, x, num_warmup)))(keys, starts)

    make = functools.partial(FACTORIES[name], log_density, lambda key: scales * wide(key), num_chains=num_chains)
    alg = jitted(make(num_warmup=num_warmup))
    state, _ = jax.jit(trace(alg, num_warmup, lambda chain: ()))(KEY, alg.init(KEY, ()))
    ours = jax.vmap(lambda known: adaptation.step_size(known, num_warmup))(state.adaptation)
    np.testing.assert_allclose(ours.mean(), theirs["step_size"].mean(), rtol=0.15)
    for inverse_mass in (state.adaptation.inverse_mass, theirs["inverse_mass_matrix"]):
        np.testing.assert_allclose((inverse_mass / scales[None] ** 2).mean(0), 1, atol=0.25)


@pytest.mark.parametrize("name", FAST)
def test_a_thousand_runs_over_seeds(name):
    """1,024 chains as seeds are 1,024 chains as a state: one program, and their moments are the target's."""
    alg = jitted(over_seeds(FACTORIES[name](gaussian, wide, num_chains=1, num_warmup=30), 1024))
    state = alg.init(KEY, ())
    state, _ = jax.jit(trace(alg, 60, lambda chain: ()))(jax.random.split(KEY, (60, 1024)), state)
    x = np.asarray(state.position[:, 0])  # independent draws, one a chain
    for i in range(3):
        assert stats.kstest((x[:, i] - MEAN[i]) / np.sqrt(COVARIANCE[i, i]), "norm").pvalue > 1e-3


@pytest.mark.parametrize("name", MOVES)
def test_an_impossible_trajectory_is_refused(name):
    """Beyond the support the density is not a number: no draw is there, and the transition says so."""

    def half_normal(x):
        return jnp.where(x[0] > 0, -0.5 * x @ x, jnp.nan)

    def once(key):
        return MOVES[name](
            key, half_normal, hmc.at(half_normal, jnp.array([1.0, 0, 0]), jnp.zeros(3)), 0.2, jnp.ones(3)
        )

    after, info = jax.vmap(once)(jax.random.split(KEY, 400))
    assert (after.position[:, 0] > 0).all() and jnp.isfinite(after.log_density).all()
    assert info.is_divergent.any() and not info.is_divergent.all() and jnp.isfinite(info.acceptance).all()
