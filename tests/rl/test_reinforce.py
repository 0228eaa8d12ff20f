"""Whole episodes, each from its beginning, and what followed each move of the first; how much values explain."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput
from adl.rl.environment.cartpole import cartpole
from adl.rl.on_policy import explained_variance
from adl.rl.policy import ActorCritic
from adl.rl.reinforce import reinforce, what_followed
from adl.rl.rollout import Transition, begin_again, last_episodes

KEY = jax.random.key(0)


def test_what_followed_is_of_the_first_episode_alone():
    ends = jnp.array([[0, 0], [0, 1], [1, 0], [0, 0], [0, 1]], bool)
    reward = jnp.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0], [8.0, 8.0], [16.0, 16.0]])
    nothing = jnp.zeros((5, 2))
    seen = Transition(nothing, nothing, reward, nothing, ends, jnp.zeros_like(ends), ())
    moves = what_followed(seen, 0.5)
    first = moves.weight.reshape(5, 2)
    np.testing.assert_allclose(first, [[1, 1], [0.5, 0.5], [0.25, 0], [0, 0], [0, 0]])
    total = moves.total.reshape(5, 2)
    np.testing.assert_allclose(total[:3, 0], [1 + 0.5 * 2 + 0.25 * 4, 2 + 0.5 * 4, 4])
    np.testing.assert_allclose(total[:2, 1], [1 + 0.5 * 2, 2])


def test_copies_begin_again_and_remember():
    env = cartpole()
    alg = reinforce(ActorCritic(2, (8,)), optax.adam(0.01), env=env, num_envs=4, horizon=60)
    agent, metrics = alg.step(KEY, alg.init(KEY, ()), ())
    again = begin_again(KEY, env, agent.copies)
    assert float(metrics["return"].count) == 4 and int(last_episodes(again)["return"].count) == 4
    np.testing.assert_array_equal(again.current.time, 60)
    np.testing.assert_array_equal(again.current.length, 0)
    assert (np.abs(again.obs) <= 0.05).all()
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), again.finished, agent.copies.finished))


def test_explained_variance_is_of_all_parts_together():
    rng = np.random.default_rng(0)
    target = rng.normal(size=200).astype("f")
    for value, want in ((target + 3, 1.0), (np.zeros(200, "f"), 0.0), (0.5 * target, 0.75), (-target, -3.0)):
        np.testing.assert_allclose(explained_variance(target, value).value, want, rtol=1e-5, atol=1e-6)
    shares = target.reshape(8, 25), np.zeros((8, 25), "f") + np.arange(8, dtype="f")[:, None]
    each = jax.vmap(lambda y, v: explained_variance(y, v, "data"), axis_name="data")(*shares)
    whole = explained_variance(*(x.reshape(-1) for x in shares))
    np.testing.assert_allclose(each.total.sum() / each.count.sum(), whole.value, rtol=1e-5)
    parts = [explained_variance(target[i::2], 0.5 * target[i::2] + i) for i in (0, 1)]
    np.testing.assert_allclose((parts[0] + parts[1]).value, 0.75, rtol=1e-5)


def test_an_episode_that_is_cut_counts_and_those_after_the_first_do_not():
    """Of a pole that is balanced for ever, cut at 60, each copy's return is 60, however many others ended early."""
    alg = reinforce(ActorCritic(2, (8,)), optax.adam(0.0), env=cartpole(12), num_envs=4, horizon=10)
    agent, metrics = alg.step(KEY, alg.init(KEY, ()), ())
    assert float(metrics["return"].value) <= 10 and float(metrics["length"].value) == float(metrics["return"].value)
    assert int(agent.copies.finished.length.max()) <= 10
    with pytest.raises(BadInput, match="no baseline 'values'"):
        reinforce(ActorCritic(2, (8,)), optax.adam(0.0), env=cartpole(), num_envs=4, horizon=10, baseline="values")
