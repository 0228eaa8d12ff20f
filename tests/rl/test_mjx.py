"""Gymnasium's Hopper-v5 and Walker2d-v5, which are C MuJoCo, are the oracle: step for step, from their own states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput

pytest.importorskip("mujoco.mjx", reason="robots need the extra locomotion")
gymnasium = pytest.importorskip("gymnasium", reason="robots need the extra locomotion")

from adl.rl.environment import mjx  # noqa: E402 - after what it needs

KEY = jax.random.key(0)


def theirs(name: str):
    env = gymnasium.make(mjx.ROBOTS[name].title).unwrapped
    env.reset(seed=0)
    return env


def state_of(env) -> mjx.Moving:
    return mjx.Moving(*(jnp.asarray(x, jnp.float32) for x in (env.data.qpos, env.data.qvel, env.data.qacc_warmstart)))


@pytest.mark.parametrize("name", ["hopper", pytest.param("walker2d", marks=pytest.mark.full)])
def test_a_hundred_steps_are_c_mujocos(name):
    """Free, from the same state, by motors that hold the robot up for so long; each compiles for half a minute."""
    env, ours = theirs(name), mjx.robot(name, iterations=mjx.EXACT)
    step = jax.jit(ours.step)
    timed = jax.eval_shape(ours.reset, KEY)[0]._replace(time=jnp.zeros((), jnp.int32), state=state_of(env))
    rng = np.random.default_rng(0)
    begin = np.array(env.data.qpos)
    for _ in range(100):
        action = 0.15 * rng.uniform(-1, 1, env.action_space.shape).astype("f")
        obs, reward, terminated, _, _ = env.step(action)
        after = step(KEY, timed, jnp.asarray(action))
        timed = after.state
        np.testing.assert_allclose(after.obs, obs, atol=1e-4)
        np.testing.assert_allclose(after.reward, reward, atol=2e-3)
        assert not terminated and not after.ended
    assert np.abs(env.data.qpos - begin).max() > 0.02 and env.data.ncon > 0, "it was to move, and to stand"


@pytest.mark.parametrize("name", mjx.ROBOTS)
def test_the_judge_is_gymnasiums(name):
    """From its states, over falls; and what counts as upright is what it says."""
    env, ours, rng, ends = theirs(name), mjx.in_gymnasium(name), np.random.default_rng(0), 0
    timed, first = ours.reset(KEY)
    assert first.shape == env.observation_space.shape and ours.actions.low.shape == env.action_space.shape
    for _ in range(120):
        timed = timed._replace(state=state_of(env))
        action = rng.uniform(-1, 1, env.action_space.shape).astype("f")
        env.set_state(*(np.asarray(x, float) for x in timed.state[:2]))
        env.data.qacc_warmstart[:] = np.asarray(timed.state.force)
        obs, reward, terminated, _, _ = env.step(action)
        after = ours.step(KEY, timed, jnp.asarray(action))
        np.testing.assert_allclose(after.obs, obs, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(after.reward, reward, rtol=1e-4, atol=1e-4)
        state = after.state.state
        assert bool(after.terminated) == terminated == (not mjx.upright(mjx.ROBOTS[name], *state[:2]))
        if terminated:
            ends += 1
            env.reset()
    assert ends >= 2


def test_a_gait_is_told_of_whole_episodes():
    """Of robots that do nothing, which fall, and of one that lies where they stand."""
    env = mjx.in_gymnasium("hopper")

    def still(agent):
        return lambda key, obs: (jnp.zeros((len(obs), 3)), ())

    found = jax.jit(mjx.gait(env, still, num_episodes=4, limit=200))(KEY, ())
    lengths = np.asarray(found["lengths"])
    assert (lengths > 10).all() and (lengths < 200).all() and float(found["falls"].value) == 1
    np.testing.assert_allclose(found["seconds"].value, mjx.STEP_SECONDS * lengths.mean(), rtol=1e-5)
    # Without motors the return is a reward a step but the last, and the way.
    way = float(found["speed"].total) * mjx.STEP_SECONDS / 4
    np.testing.assert_allclose(found["return"].value, (lengths - 1).mean() + way / mjx.STEP_SECONDS, rtol=0.05)
    none = jax.jit(mjx.gait(env, still, num_episodes=2, limit=5))(KEY, ())
    assert float(none["falls"].value) == 0


def test_judges_on_several_devices_take_turns():
    """There is one simulation: what each finds is what it finds alone."""
    env = mjx.in_gymnasium("hopper")
    keys = jax.random.split(KEY, 8).reshape(2, 4)
    begin = jax.vmap(jax.vmap(env.reset))(keys)[0]
    actions = jax.random.uniform(KEY, (2, 4, 3), minval=-1.0)
    alone = jax.vmap(jax.vmap(env.step))(keys, begin, actions)
    for _ in range(5):
        both = jax.pmap(jax.vmap(env.step))(keys, begin, actions)
        np.testing.assert_array_equal(both.obs, alone.obs)


def test_numbers_have_names_and_speeds_add_up_to_a_way():
    observed, motors = mjx.joint_names("hopper")
    assert observed[:2] == ["rootz", "rooty"] and observed[5] == "rootx speed" and len(observed) == 11
    assert motors == ["thigh_joint", "leg_joint", "foot_joint"]
    assert [len(names) for names in mjx.joint_names("walker2d")] == [17, 6]
    obs = np.zeros((4, 11))
    obs[:, 5] = [1.0, 2.0, -1.0, 5.0]
    np.testing.assert_allclose(mjx.way(obs), 0.008 * np.array([0.0, 1.0, 3.0, 2.0]))


def test_a_robot_begins_upright_and_is_drawn_so():
    for name, standing in (("hopper", 1.25), ("walker2d", 1.25)):
        _, obs = mjx.in_gymnasium(name).reset(KEY)
        lines = mjx.outline(name)(np.asarray(obs))
        np.testing.assert_allclose(lines[0].mean(0), [0, standing], atol=0.02)
        np.testing.assert_allclose(np.linalg.norm(np.diff(lines[0], axis=0)), 0.4, atol=1e-6)
        assert len(lines) == {"hopper": 4, "walker2d": 7}[name]
        assert min(line[:, 1].min() for line in lines) > 0.0


def test_other_robots_and_missing_extras_are_refused(monkeypatch):
    with pytest.raises(BadInput, match="no robot 'hoper': there are hopper, walker2d; did you mean hopper?"):
        mjx.robot("hoper")
    monkeypatch.setitem(__import__("sys").modules, "mujoco", None)
    with pytest.raises(BadInput, match=r"robots move by mujoco: pip install 'adl\[locomotion\]'"):
        mjx.in_gymnasium("hopper")
