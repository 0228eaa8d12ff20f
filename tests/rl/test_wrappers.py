"""What wrappers do to a world whose state is a count, and that they compose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from adl.core import BadInput, forward
from adl.rl.environment.pendulum import pendulum
from adl.rl.environment.world import Bounds, Choices, Environment, Step
from adl.rl.environment.wrappers import (
    action_repeat,
    clipped_action,
    frame_stack,
    rescaled_action,
    scaled_reward,
    time_limit,
)
from adl.rl.normalised import InSeenUnits, RunningMoments

KEY = jax.random.key(0)


def counter(goal: int = 100) -> Environment:
    """Counts from 1; shows the count and its negative; rewards with the count; terminates at the goal."""

    def reset(key):
        return jnp.ones(()), jnp.array([1.0, -1.0])

    def step(key, state, action):
        now = state + 1
        return Step(now, jnp.stack([now, -now]), now, now >= goal, jnp.zeros((), bool))

    def legal(state):
        return jnp.stack([state > 0, state > 2])

    return Environment(reset, step, Choices(2), legal)


def played(env: Environment, n: int) -> list[Step]:
    state, _ = env.reset(KEY)
    seen = []
    for key in jax.random.split(KEY, n):
        seen.append(env.step(key, state, jnp.int32(0)))
        state = seen[-1].state
    return seen


def test_scaled_rewards():
    assert [float(step.reward) for step in played(scaled_reward(counter(), 0.5), 3)] == [1.0, 1.5, 2.0]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_repeated_actions_sum_their_rewards(n):
    found = played(action_repeat(counter(), n), 3)
    counts = 2 + np.arange(3 * n).reshape(3, n)
    np.testing.assert_array_equal([step.reward for step in found], counts.sum(1))
    np.testing.assert_array_equal([step.obs[0] for step in found], counts[:, -1])


def test_a_repeat_stops_where_its_episode_ends():
    last = played(action_repeat(counter(5), 3), 2)[-1]
    assert last.terminated and last.obs[0] == 5 and last.reward == 5, "4 was the last of the first three"
    cut = played(action_repeat(time_limit(counter(), 4), 3), 2)[-1]
    assert cut.truncated and not cut.terminated and cut.obs[0] == 5 and cut.reward == 5
    assert played(time_limit(action_repeat(counter(), 3), 2), 2)[-1].truncated


def test_each_repeat_has_luck_of_its_own():
    def step(key, state, action):
        return Step(state, state, jax.random.normal(key), jnp.zeros((), bool), jnp.zeros((), bool))

    noisy = Environment(lambda key: (jnp.zeros(()), jnp.zeros(())), step, Choices(1))
    keys = jax.random.split(KEY, 4000)
    steps = [jax.vmap(action_repeat(noisy, n).step, (0, None, None))(keys, jnp.zeros(()), 0) for n in (1, 4)]
    np.testing.assert_allclose([np.std(step.reward) for step in steps], [1, 2], rtol=0.05)


def test_stacked_frames_have_the_latest_last():
    env = frame_stack(counter(), 3)
    _, obs = env.reset(KEY)
    np.testing.assert_array_equal(obs, [1, -1, 1, -1, 1, -1])
    found = played(env, 3)
    np.testing.assert_array_equal(found[0].obs, [1, -1, 1, -1, 2, -2])
    np.testing.assert_array_equal(found[2].obs, [2, -2, 3, -3, 4, -4])


def test_wrappers_compose_and_keep_what_is_legal():
    env = time_limit(frame_stack(scaled_reward(action_repeat(counter(), 2), 0.1), 2), 3)
    state, obs = env.reset(KEY)
    np.testing.assert_array_equal(env.legal(state), [True, False])
    found = played(env, 3)
    np.testing.assert_array_equal(env.legal(found[0].state), [True, True])
    np.testing.assert_allclose([step.reward for step in found], [0.5, 0.9, 1.3], rtol=1e-6)
    np.testing.assert_array_equal([bool(step.truncated) for step in found], [False, False, True])
    assert obs.shape == found[0].obs.shape == (4,)


def test_vectors_are_clipped_and_rescaled():
    seen = []

    def step(key, state, action):
        seen.append(np.asarray(action))
        return Step(state, state, jnp.zeros(()), jnp.zeros((), bool), jnp.zeros((), bool))

    bounds = Bounds(np.array([-1.0, 0.0], "f"), np.array([3.0, 0.5], "f"))
    env = Environment(lambda key: (jnp.zeros(()), jnp.zeros(())), step, bounds)
    clipped_action(env).step(KEY, jnp.zeros(()), jnp.array([-5.0, 0.7]))
    scaled = rescaled_action(env)
    for action in ([-1.0, 1.0], [0.0, 0.0]):
        scaled.step(KEY, jnp.zeros(()), jnp.array(action))
    np.testing.assert_allclose(seen, [[-1, 0.5], [-1, 0.5], [1, 0.25]])
    np.testing.assert_array_equal(scaled.actions.low, [-1, -1])
    np.testing.assert_array_equal(rescaled_action(pendulum()).actions.high, [1])
    with pytest.raises(BadInput, match="rescaled_action moves by vectors"):
        rescaled_action(counter())


def test_running_moments_are_those_of_all_that_was_seen():
    rng = np.random.default_rng(0)
    parts = [rng.normal(1000, 3, (n, 2)).astype("f") for n in (5, 1, 40)]
    found = sum((RunningMoments.of(jnp.asarray(x)) for x in parts[1:]), RunningMoments.of(jnp.asarray(parts[0])))
    whole = np.concatenate(parts).astype(float)
    np.testing.assert_allclose(found.count, 46)
    np.testing.assert_allclose(found.mean, whole.mean(0), rtol=1e-6)
    np.testing.assert_allclose(found.variance, whole.var(0), rtol=1e-4)


def test_a_normalised_model_sees_units_of_what_it_saw():
    """Only updates move the moments, and devices have those of the whole batch."""

    class Same(nn.Module):
        @nn.compact
        def __call__(self, obs):
            return obs + self.param("zero", nn.initializers.zeros, ())

    x = jnp.asarray(np.random.default_rng(0).normal(50, 5, (64, 2)), "float32")
    model = InSeenUnits(Same())
    variables = model.init(KEY, x)
    np.testing.assert_allclose(model.apply(variables, x), x.clip(-10, 10), rtol=1e-6)
    out, extras = forward(model, None, variables["params"], {"moments": variables["moments"]}, x)
    np.testing.assert_allclose(out, x.clip(-10, 10), rtol=1e-6, err_msg="as it was before the update")
    out = model.apply({**variables, **extras}, x)
    rows = np.asarray(x)
    np.testing.assert_allclose(out, (rows - rows.mean(0)) / rows.std(0), atol=1e-2)

    def share(part):
        alone = InSeenUnits(Same(), axis="data")
        return forward(alone, None, variables["params"], {"moments": variables["moments"]}, part)[1]

    split = jax.vmap(share, axis_name="data")(x.reshape(4, 16, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, np.stack([b] * 4), rtol=1e-4), split, extras)
