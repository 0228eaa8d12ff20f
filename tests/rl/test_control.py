"""Gymnasium is the oracle of the control worlds: states, rewards, terminations and truncations, step for step."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.environment import control
from adl.rl.environment.world import Bounds

KEY = jax.random.key(0)
IDS = {
    "cartpole": "CartPole-v1",
    "mountain_car": "MountainCar-v0",
    "mountain_car_continuous": "MountainCarContinuous-v0",
    "acrobot": "Acrobot-v1",
    "pendulum": "Pendulum-v1",
}


def swinging(name, obs, rng):
    """Actions that add energy, so that goals are reached."""
    return {
        "cartpole": lambda: int(obs[2] + 0.3 * obs[3] > 0),
        "mountain_car": lambda: 2 if obs[1] > 0 else 0,
        "mountain_car_continuous": lambda: np.sign(obs[1:2]).astype(float),
        "acrobot": lambda: 2 if obs[4] < 0 else 0,
        "pendulum": lambda: 2 * np.sign(obs[2:3]).astype(float),
    }[name]()


def anything(name, obs, rng):
    bounds = control.named(name).make().actions
    # Vectors beyond the bounds, too.
    return (
        rng.uniform(1.5 * bounds.low, 1.5 * bounds.high) if isinstance(bounds, Bounds) else rng.integers(bounds.count)
    )


@pytest.mark.parametrize("name", IDS)
def test_a_thousand_steps_over_resets_are_gymnasiums(name):
    """In double precision, each step from Gymnasium's own state, half of the episodes at random and half swinging."""
    rng, world = np.random.default_rng(0), control.named(name)
    # Without the checks of what is passed in: vectors beyond the bounds are clipped, as the world itself says.
    theirs = gymnasium.make(IDS[name], disable_env_checker=True)
    ends = []
    with jax.enable_x64(True):
        env = world.make()
        step, reset = jax.jit(env.step), jax.jit(env.reset)
        steps = 0
        while steps < 1000 or len(ends) < 4:
            obs, _ = theirs.reset(seed=steps)
            timed, _ = reset(KEY)
            act, over = (anything, swinging)[len(ends) % 2], False
            while not over:
                action = act(name, obs, rng)
                state = jnp.asarray(theirs.unwrapped.state, "float64")
                theirs.unwrapped.state = np.asarray(state)
                obs, reward, terminated, truncated, _ = theirs.step(action)
                after = step(KEY, timed._replace(state=state), jnp.asarray(action))
                # Gymnasium rounds what it shows to float32.
                np.testing.assert_allclose(after.state.state, np.asarray(theirs.unwrapped.state), rtol=1e-7, atol=1e-9)
                np.testing.assert_allclose(after.obs, obs, rtol=1e-7, atol=1e-8)
                np.testing.assert_allclose(after.reward, reward, rtol=1e-12, atol=1e-12)
                assert (bool(after.terminated), bool(after.truncated)) == (terminated, truncated)
                timed, steps, over = after.state, steps + 1, terminated or truncated
            ends.append((terminated, truncated))
    assert len(ends) >= 4
    if name != "pendulum":
        assert (True, False) in ends, "one was to terminate"
    if name != "cartpole":
        assert (False, True) in ends, "one was to be cut"


@pytest.mark.parametrize("name", IDS)
def test_single_steps_in_float32_and_resets_are_gymnasiums(name):
    world, theirs = control.named(name), gymnasium.make(IDS[name])
    env = world.make()
    states, obs = jax.vmap(env.reset)(jax.random.split(KEY, 20_000))
    drawn = np.stack([theirs.reset(seed=seed)[0] for seed in range(1_000)])
    np.testing.assert_allclose(np.min(obs, 0), drawn.min(0), atol=0.05)
    np.testing.assert_allclose(np.max(obs, 0), drawn.max(0), atol=0.05)
    np.testing.assert_allclose(np.std(obs, 0), drawn.std(0), rtol=0.1, atol=1e-5)
    rng = np.random.default_rng(1)
    actions = np.stack([anything(name, None, rng) for _ in range(100)])
    after = jax.vmap(env.step, (None, 0, 0))(KEY, jax.tree.map(lambda x: x[:100], states), jnp.asarray(actions))
    assert after.obs.dtype == after.reward.dtype == jnp.float32
    for k in range(100):
        theirs.reset(seed=0)
        theirs.unwrapped.state = np.asarray(states.state[k], float)
        want, reward, *_ = theirs.unwrapped.step(actions[k])
        np.testing.assert_allclose(after.obs[k], want, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(after.reward[k], reward, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", IDS)
def test_the_table_says_what_gymnasium_says(name):
    world, spec = control.named(name), gymnasium.spec(IDS[name])
    assert world.limit == spec.max_episode_steps
    assert spec.reward_threshold in (world.solved, None) and world.least < world.solved <= world.most
    env = world.make()
    _, obs = env.reset(KEY)
    assert obs.shape == (len(world.observed),)
    theirs = gymnasium.make(IDS[name]).action_space
    if isinstance(env.actions, Bounds):
        np.testing.assert_array_equal(env.actions.low, theirs.low)
        np.testing.assert_array_equal(env.actions.high, theirs.high)
        assert len(world.moves) == len(theirs.low)
    else:
        assert env.actions.count == theirs.n == len(world.moves)


def test_an_unknown_world_is_one_line():
    with pytest.raises(BadInput, match=r"no control world 'mountian_car'.*; did you mean mountain_car\?$"):
        control.named("mountian_car")
