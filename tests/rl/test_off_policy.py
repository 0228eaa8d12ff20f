"""SAC finds the soft values of a problem that is known, TD3 the best action; a replay, its targets and their bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput, jitted, repeated, tree
from adl.prob.distributions import normal_log_prob
from adl.rl.environment.cartpole import cartpole
from adl.rl.environment.world import Bounds, Environment, Step
from adl.rl.environment.wrappers import time_limit
from adl.rl.off_policy import networks, target_value
from adl.rl.policy import halves, log_tanh_slope
from adl.rl.sac import middle, sac, soft_value
from adl.rl.td3 import only, smoothed, td3
from tests.rl.toys import aim

KEY = jax.random.key(0)
MEAN, LOG_STD, ALPHA, BONUS, DISCOUNT = 0.3, -0.7, 0.5, 1.0, 0.9
ENTROPY_DRAWS = 200_000


def known() -> Environment:
    """Two moves an episode, each with reward alpha log p(a) + c, of a squashed Gaussian p.

    So the best policy at temperature alpha is p, its soft value c at the second move, and c + g c at the first.
    """

    def reset(key):
        return jnp.zeros(()), jnp.zeros(1)

    def step(key, state, action):
        u = jnp.arctanh(jnp.clip(action[0], -0.999, 0.999))
        reward = ALPHA * (normal_log_prob(u, MEAN, LOG_STD) - log_tanh_slope(u)) + BONUS
        is_last = state > 0
        return Step(state + 1, (state + 1)[None], reward, is_last, jnp.zeros((), bool))

    return Environment(reset, step, Bounds(-np.ones(1, np.float32), np.ones(1, np.float32)))


def entropy() -> float:
    u = MEAN + np.exp(LOG_STD) * np.random.default_rng(0).normal(size=ENTROPY_DRAWS)
    return float(-np.mean(normal_log_prob(u, MEAN, LOG_STD) - log_tanh_slope(u)))


def test_sac_finds_the_soft_values_of_a_known_problem():
    """With the entropy of p as its target, the temperature goes to alpha."""
    env = known()
    model = networks(env, 2, (32, 32))
    alg = sac(
        *(model, optax.adam(optax.linear_schedule(5e-3, 0.0, 2000))),
        env=env,
        num_envs=8,
        capacity=20_000,
        batch_size=128,
        warmup=250,
        discount=DISCOUNT,
        decay=0.98,
        temperature=1.0,
        target_entropy=entropy(),
    )
    many = jitted(repeated(alg, 2000))
    agent, _ = many.step(KEY, jitted(alg).init(KEY, ()), ())
    np.testing.assert_allclose(jnp.exp(agent.temperature.params["log_alpha"]), ALPHA, rtol=0.15)
    numbers = model.actor.apply(agent.learner.variables, jnp.array([[0.0], [1.0]]))
    np.testing.assert_allclose(halves(numbers)[0], MEAN, atol=0.12)
    action = np.linspace(-0.7, 0.8, 9, dtype="f")[:, None]
    u = np.arctanh(action[:, 0])
    reward = ALPHA * (normal_log_prob(u, MEAN, LOG_STD) - log_tanh_slope(u)) + BONUS
    for state, later in ((0.0, DISCOUNT * BONUS), (1.0, 0.0)):
        found = model.critics.apply(agent.critics.variables, jnp.full((9, 1), state), action)
        np.testing.assert_allclose(found, np.stack([reward + later] * 2), atol=0.25)


def make(name: str, env: Environment, **options):
    numbers, factory = {"sac": (2, sac), "td3": (1, td3)}[name]
    options = {"num_envs": 16, "capacity": 4096, "batch_size": 64, "num_updates": 4, "warmup": 8, **options}
    model = networks(env, numbers, (32,))
    return model, factory(model, optax.adam(5e-3), env=env, **options)


@pytest.mark.parametrize("name", ["sac", "td3"])
def test_learns_to_aim(name):
    """In a world whose bounds are not 1."""
    model, alg = make(name, aim(high=3.0))
    agent, metrics = jitted(repeated(alg, 150)).step(KEY, jitted(alg).init(KEY, ()), ())
    obs = np.linspace(-0.7, 0.7, 8, dtype="f")[:, None]
    action = {"sac": middle, "td3": only}[name](model.actor.apply(agent.learner.variables, obs))
    np.testing.assert_allclose(action, obs, atol=0.2)
    np.testing.assert_allclose(np.abs(action - obs).mean(), 0, atol=0.1)
    assert float(metrics["explained_variance"].value) > 0.5
    assert int(agent.replay.count) == 158, "each move of each copy is kept, those of the start too"


def treadmill() -> Environment:
    """Goes on for ever, and is cut after three moves; reward 1 a move."""

    def reset(key):
        return jnp.zeros(()), jnp.zeros(1)

    def step(key, state, action):
        never = jnp.zeros((), bool)
        return Step(state + 1, (state + 1)[None], jnp.ones(()), never, never)

    return time_limit(Environment(reset, step, Bounds(-np.ones(1, np.float32), np.ones(1, np.float32))), 3)


@pytest.mark.parametrize("name", ["sac", "td3"])
def test_a_replay_has_each_episodes_own_end(name):
    _, alg = make(name, treadmill(), warmup=7, horizon=2, num_updates=1)
    agent, _ = alg.step(KEY, alg.init(KEY, ()), ())
    items = jax.tree.map(lambda leaf: np.asarray(leaf[:, :9]), agent.replay.items)
    np.testing.assert_array_equal(items.obs[0, :, 0], [0, 1, 2] * 3)
    np.testing.assert_array_equal(items.next_obs[0, :, 0], [1, 2, 3] * 3)
    assert not items.terminated.any(), "what is cut is not over"
    assert (np.abs(items.action) <= 1).all() and items.action.std() > 0.3


def test_targets_by_hand():
    reward, terminated = jnp.array([1.0, 2.0]), jnp.array([False, True])
    later = soft_value(jnp.array([[3.0, 5.0], [4.0, 1.0]]), jnp.array([-1.0, 2.0]), 0.5)
    np.testing.assert_allclose(later, [3.5, 0.0])
    np.testing.assert_allclose(target_value(reward, terminated, later, 0.9), [1 + 0.9 * 3.5, 2.0], rtol=1e-6)


def test_smoothing_is_bounded():
    action = jnp.broadcast_to(jnp.array([0.0, 0.9]), (20_000, 2))
    moved = np.asarray(smoothed(KEY, action, 0.2, 0.3))
    assert np.abs(moved[:, 0]).max() <= 0.3 and moved[:, 1].max() == 1.0 and moved[:, 1].min() >= 0.6 - 1e-6
    np.testing.assert_allclose((np.abs(moved[:, 0]) == np.float32(0.3)).mean(), 0.1336, atol=0.01)  # beyond 1.5 sigma
    np.testing.assert_array_equal(smoothed(KEY, action, 0.0, 0.3), action)


def test_td3_follows_slowly_and_delays_its_actor():
    """Of a step with one update the target moves by 1 - decay, and the critics by as many steps as the delay."""
    _, alg = make("td3", aim(), num_updates=1, delay=3, decay=0.75)
    old = alg.init(KEY, ())
    new, metrics = alg.step(KEY, old, ())
    assert int(new.learner.opt_state[0].count) == 1 and int(new.critics.opt_state[0].count) == 3
    assert float(metrics["loss"].count) == 3 * 64
    wanted = tree.ema(old.target.variables["critics"], new.critics.variables, 0.75)
    for found, want in zip(*map(jax.tree.leaves, (new.target.variables["critics"], wanted)), strict=True):
        np.testing.assert_allclose(found, want, atol=1e-6)


@pytest.mark.parametrize("name", ["sac", "td3"])
def test_choices_are_refused(name):
    with pytest.raises(BadInput, match="moves by vectors, and here an action is one of 2; dqn, a2c and ppo choose"):
        make(name, cartpole())
