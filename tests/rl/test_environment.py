"""Episodes that end in either way, on an environment whose state is a count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.environment.world import Bounds, Choices, Environment, Step, auto_reset, bounds_of, num_choices
from adl.rl.environment.wrappers import time_limit

KEY = jax.random.key(0)


def counter(goal: int) -> Environment:
    """Counts up from a whole number of thousands; terminates `goal` later. The action is the reward."""

    def reset(key):
        start = 1000.0 * jax.random.randint(key, (), 1, 10)
        return (start, start), start[None]

    def step(key, state, action):
        start, now = state[0], state[1] + 1
        return Step((start, now), now[None], action, now - start >= goal, jnp.zeros((), bool))

    return Environment(reset, step, Bounds(np.zeros(1), np.ones(1)))


def episode(env: Environment) -> list[Step]:
    state, _ = env.reset(KEY)
    seen = []
    while not seen or not seen[-1].ended:
        seen.append(env.step(KEY, state, jnp.float32(2)))
        state = seen[-1].state
    return seen


def test_limit_truncates_and_a_goal_terminates():
    ends = {
        (goal, limit): (len(seen), bool(seen[-1].terminated), bool(seen[-1].truncated))
        for goal, limit in ((3, 5), (5, 3), (4, 4))
        for seen in [episode(time_limit(counter(goal), limit))]
    }
    assert ends == {(3, 5): (3, True, False), (5, 3): (3, False, True), (4, 4): (4, True, True)}


def test_the_tighter_of_two_limits_counts():
    assert len(episode(time_limit(time_limit(counter(100), 7), 4))) == 4
    assert len(episode(time_limit(time_limit(counter(100), 4), 7))) == 4


def test_reset_starts_anew_and_keeps_the_last_observation():
    env = time_limit(counter(3), 10)
    step = auto_reset(env)
    state, obs = env.reset(KEY)
    starts = []
    for t, key in enumerate(jax.random.split(KEY, 9)):
        after, (state, following) = step(key, state, jnp.float32(1))
        assert after.obs == obs + 1, "what an action led to is of its own episode"
        if t % 3 == 2:
            assert after.terminated and following % 1000 == 0 and state.time == 0
            starts.append(float(following[0]))
        else:
            assert not after.ended and following == after.obs and state.time == t % 3 + 1
        obs = following
    assert len(set(starts)) > 1, "each episode has a beginning of its own"


def test_copies_reset_one_by_one():
    env = time_limit(counter(100), 2)
    state, _ = jax.vmap(env.reset)(jax.random.split(KEY, 3))
    state = state._replace(time=jnp.array([0, 1, 0]))
    after, (state, _) = jax.vmap(auto_reset(env))(jax.random.split(KEY, 3), state, jnp.ones(3))
    np.testing.assert_array_equal(after.truncated, [False, True, False])
    np.testing.assert_array_equal(state.time, [1, 0, 1])


def test_an_algorithm_refuses_actions_of_the_other_kind():
    choices = counter(3)._replace(actions=Choices(3))
    assert num_choices(choices, "dqn") == 3 and bounds_of(counter(3), "sac").high == 1
    with pytest.raises(BadInput, match="dqn chooses one of several actions, and here they are vectors"):
        num_choices(counter(3), "dqn")
    with pytest.raises(BadInput, match="sac moves by vectors, and here an action is one of 3"):
        bounds_of(choices, "sac")
