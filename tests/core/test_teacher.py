"""A followed copy against a loop in NumPy."""

import jax.numpy as jnp
import numpy as np

from adl.core import teacher

PATH = np.random.default_rng(0).normal(size=(12, 3)).astype("f")


def followed(decay):
    """The copy after each step."""
    state, seen = teacher.follower({"w": jnp.zeros(3)}), []
    for w in PATH:
        state = teacher.follow(state, {"w": jnp.asarray(w)}, decay)
        seen.append(state.variables["w"])
    assert state.count == len(PATH)
    return np.stack(seen)


def test_a_teacher_is_an_average_of_the_past():
    average, want = np.zeros(3, "f"), []
    for w in PATH:
        average = 0.7 * average + 0.3 * w
        want.append(average)
    np.testing.assert_allclose(followed(0.7), want, rtol=1e-5)
    np.testing.assert_array_equal(followed(0.0), PATH)
    np.testing.assert_array_equal(followed(1.0), 0)


def test_a_target_is_a_copy_of_every_so_manyeth_step():
    want = [np.zeros(3)] * 3 + [PATH[3]] * 4 + [PATH[7]] * 4 + [PATH[11]]
    np.testing.assert_array_equal(followed(teacher.every(4)), want)


def test_a_schedule_is_asked_for_the_steps_before():
    counts = jnp.array([0, 5, 10, 20])
    decay = teacher.cosine(0.9, 10)(counts)
    np.testing.assert_allclose(decay, [0.9, 0.95, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(followed(teacher.cosine(0.9, 10))[0], 0.1 * PATH[0], rtol=1e-5)


def test_a_teacher_begins_in_buffers_of_its_own():
    w = jnp.ones(3)
    assert teacher.follower({"w": w}).variables["w"].unsafe_buffer_pointer() != w.unsafe_buffer_pointer()
