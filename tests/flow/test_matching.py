"""Flow matching learns the velocity of the exact Gaussian, pairs as SciPy does, and reflowed ways are straight."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import linear_sum_assignment

from adl.core import BadInput
from adl.core.lift import repeated
from adl.core.place import jitted
from adl.flow.matching import (
    Pair,
    carried,
    independent_noise,
    optimal_noise,
    pairs_of,
    reflow,
    straightness,
    velocity_errors,
)
from adl.nn.mlp import TimedMLP

MEAN, STD = 1.5, 0.5


def exact(x, time):
    """E[n - x_0 | x_t] of data N(MEAN, STD^2), independent_noise of the noise: the least error's velocity."""
    t = time.reshape(-1, *[1] * (x.ndim - 1))
    variance = (1 - t) ** 2 * STD**2 + t**2
    rest = (x - (1 - t) * MEAN) / variance
    return t * rest - (MEAN + (1 - t) * STD**2 * rest)


def test_the_exact_velocity_carries_noise_to_data_and_no_other_errs_less():
    noise = jax.random.normal(jax.random.key(0), (4000, 1))
    x = carried(exact, noise, num_steps=200)
    # In one dimension the flow is the rising map from one normal to the other.
    np.testing.assert_allclose(x, MEAN + STD * noise, atol=2e-2)
    data = MEAN + STD * jax.random.normal(jax.random.key(1), (4000, 1))
    pair = Pair(data, independent_noise(jax.random.key(2), data))
    error = lambda field: velocity_errors(jax.random.key(3), field, pair).mean()  # noqa: E731
    for other in (lambda x, t: exact(x, t) + 0.2, lambda x, t: exact(x, t) * 1.2, lambda x, t: exact(x, 0.9 * t)):
        assert error(exact) < error(other)


def test_steps_are_eulers_of_order_1():
    noise = jnp.array([[1.0]])
    errors = [float(jnp.abs(carried(exact, noise, num_steps=n) - MEAN - STD).max()) for n in (50, 100, 200)]
    np.testing.assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 2, rtol=0.1)


def test_optimal_pairs_are_scipys():
    x = jax.random.normal(jax.random.key(0), (12, 3, 2)) + 1
    noise, plain = optimal_noise(jax.random.key(1), x), independent_noise(jax.random.key(1), x)
    cost = np.square(np.asarray(x)[:, None] - np.asarray(plain)[None]).sum((2, 3))
    rows, columns = linear_sum_assignment(cost)
    np.testing.assert_allclose(np.square(noise - x).sum(), cost[rows, columns].sum(), rtol=1e-5)
    np.testing.assert_allclose(np.sort(noise.ravel()), np.sort(plain.ravel()))
    assert cost[rows, columns].sum() < 0.8 * np.trace(cost)


def test_the_second_flow_of_reflow_is_straighter_than_the_first():
    """Of two modes, between which ways of pairs at random cross."""
    model, noise = TimedMLP((16, 16)), jax.random.normal(jax.random.key(3), (200, 1))
    alg = jitted(repeated(reflow(model, optax.adam(1e-2), periods=(300, 300), num_steps=16), 600))
    draw = jax.random.normal(jax.random.key(0), (600, 64, 1))
    x = 0.2 * draw + jnp.where(jnp.arange(64) % 2, 2.0, -2.0)[None, :, None]
    state, _ = alg.step(jax.random.split(jax.random.key(1), 600), alg.init(jax.random.key(2), x), x)
    bends = [straightness(functools.partial(model.apply, flow.variables), noise).mean() for flow in state.state]
    assert bends[1] < 0.3 * bends[0]
    # By one step the first flow's samples lie about the middle, where no data are; the second's do not.
    near = [
        jnp.abs(carried(functools.partial(model.apply, f.variables), noise, num_steps=1)).mean() for f in state.state
    ]
    assert near[0] < 0.5 < 1.5 < near[1]


def test_ways_of_one_velocity_are_straight_and_others_are_not():
    noise = jax.random.normal(jax.random.key(0), (20, 2))
    constant = lambda x, t: jnp.full_like(x, 2.0)  # noqa: E731
    np.testing.assert_allclose(straightness(constant, noise), 0, atol=1e-6)
    assert straightness(lambda x, t: jnp.stack([-x[:, 1], x[:, 0]], -1), noise).mean() > 0.05
    pair = pairs_of(constant, noise, num_steps=3)
    np.testing.assert_allclose(pair.x, noise - 2, rtol=1e-5)
    np.testing.assert_allclose(carried(constant, noise, num_steps=1), pair.x, rtol=1e-5)
    with pytest.raises(BadInput, match="0 steps"):
        carried(constant, noise, num_steps=0)


@pytest.mark.full
def test_steps_are_those_of_diffusers():
    torch, diffusers = pytest.importorskip("torch"), pytest.importorskip("diffusers")
    noise = np.random.default_rng(0).normal(size=(4, 3)).astype("f")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=np.linspace(1, 0.2, 5))
    x = torch.tensor(noise)
    for i, time in enumerate(scheduler.timesteps):
        x = scheduler.step(torch.tanh(x + scheduler.sigmas[i]), time, x).prev_sample
    found = carried(lambda x, time: jnp.tanh(x + time[:, None]), jnp.asarray(noise), num_steps=5)
    np.testing.assert_allclose(found, x.numpy(), rtol=1e-4, atol=1e-5)
