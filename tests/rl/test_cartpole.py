"""Gymnasium's CartPole-v1 is the oracle: states, rewards, terminations and truncations, step for step."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.rl.environment.cartpole import cartpole

ENV = cartpole()
KEY = jax.random.key(0)


def steady(obs):
    """A controller that holds the pole up for the whole 500 steps."""
    return int(0.05 * obs[0] + 0.1 * obs[1] + obs[2] + 0.3 * obs[3] > 0)


def straight(obs):
    """Balances while the cart is pulled away to the side: ends at the edge of the track."""
    return int(obs[2] + 0.3 * obs[3] > 0.05)


@pytest.mark.parametrize("policy", ["random", steady, straight])
def test_whole_episodes_are_gymnasiums(policy):
    """In double precision. Short episodes run free from Gymnasium's first state; in long ones the pole amplifies any
    rounding by 1e8 and more, so there each step sets out from Gymnasium's last state.
    """
    rng, theirs = np.random.default_rng(0), gymnasium.make("CartPole-v1")
    ends = []
    with jax.enable_x64(True):
        step = jax.jit(ENV.step)
        for seed in range(20 if policy == "random" else 2):
            obs, _ = theirs.reset(seed=seed)
            timed, _ = ENV.reset(KEY)
            timed = timed._replace(state=jnp.asarray(theirs.unwrapped.state, "float64"))
            over = False
            while not over:
                action = int(rng.integers(2)) if policy == "random" else policy(obs)
                obs, reward, terminated, truncated, _ = theirs.step(action)
                after = step(KEY, timed, jnp.asarray(action))
                np.testing.assert_allclose(after.obs, theirs.unwrapped.state, rtol=1e-12, atol=1e-12)
                assert (after.reward, after.terminated, after.truncated) == (reward, terminated, truncated)
                timed, over = after.state, terminated or truncated
                if policy != "random":
                    timed = timed._replace(state=jnp.asarray(theirs.unwrapped.state))
                assert bool(after.ended) == over
            ends.append((terminated, truncated, int(timed.time), abs(float(after.obs[0])) > 2.4))
    if policy == "random":
        assert all(terminated and not truncated for terminated, truncated, _, _ in ends)
    elif policy is steady:
        assert all(end[:3] == (False, True, 500) for end in ends)
    else:
        assert all(end[0] and end[3] for end in ends), "these were to leave the track"


def test_single_steps_are_gymnasiums_in_float32():
    rng, theirs = np.random.default_rng(1), gymnasium.make("CartPole-v1").unwrapped
    theirs.reset(seed=0)
    states = rng.uniform(-1, 1, (500, 4)) * [2.4, 3.0, 0.2095, 3.0]
    actions = rng.integers(2, size=500)
    want = []
    for state, action in zip(states, actions, strict=True):
        theirs.state, theirs.steps_beyond_terminated = state, None
        obs, reward, terminated, *_ = theirs.step(action)
        want.append((obs, reward, terminated))
    timed, _ = jax.vmap(ENV.reset)(jax.random.split(KEY, 500))
    after = jax.vmap(ENV.step, (None, 0, 0))(
        KEY, timed._replace(state=jnp.asarray(states, "float32")), jnp.asarray(actions)
    )
    obs, reward, terminated = map(np.array, zip(*want, strict=True))
    np.testing.assert_allclose(after.obs, obs, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(after.reward, reward)
    np.testing.assert_array_equal(after.terminated, terminated)
    assert 20 < terminated.sum() < 480, "both sides of the thresholds were to be seen"


def test_resets_are_uniform_in_gymnasiums_range():
    _, obs = jax.vmap(ENV.reset)(jax.random.split(KEY, 20_000))
    assert obs.shape == (20_000, 4) and abs(obs).max() <= 0.05
    np.testing.assert_allclose(obs.mean(0), 0, atol=0.001)
    np.testing.assert_allclose(obs.std(0), 0.1 / np.sqrt(12), rtol=0.02)
