"""What is drawn of a world is what it is: its ends are seen in the lines, and its plane is where observations lie."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.rl.environment.control import WORLDS, named
from adl.rl.environment.sketch import SKETCHES, action_scale, judged, sketch
from adl.rl.rollout import collect, start

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", WORLDS)
def test_a_plane_is_where_observations_lie(name):
    plane = SKETCHES[name].plane
    flat = plane.obs.reshape(-1, plane.obs.shape[-1])
    assert flat.shape[1] == len(WORLDS[name].observed) and flat.dtype == np.float32
    x, y = plane.place(flat)
    inner = np.s_[1:-1, 1:-1]  # 180 and -180 degrees are one
    for found, want in zip((x, y), np.meshgrid(plane.x, plane.y, indexing="ij"), strict=True):
        np.testing.assert_allclose(found.reshape(want.shape)[inner], want[inner], atol=1e-4)


def test_an_acrobat_arrives_where_its_end_is_above_the_line():
    env = named("acrobot").make()
    _, seen, _ = collect(KEY, env, lambda key, obs: (jnp.where(obs[:, 5] > 0, 2, 0), ()), start(KEY, env, 16), 200)
    tip = np.array([[sketch("acrobot").moving(obs)[1][-1, 1] for obs in row] for row in np.asarray(seen.next_obs)])
    assert seen.terminated.any()
    np.testing.assert_array_equal(tip > 1, seen.terminated)


def test_lines_have_their_lengths_and_places():
    pole = sketch("cartpole").moving(np.array([1.0, 0.0, np.pi / 2, 0.0]))[1]
    np.testing.assert_allclose(pole, [[1.0, 0.3], [2.0, 0.3]], atol=1e-12)
    np.testing.assert_allclose(sketch("pendulum").moving(np.array([0.0, 1.0, 0.0]))[0], [[0, 0], [-1, 0]])
    links = sketch("acrobot").moving(np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]))
    np.testing.assert_allclose(links, [[[0, 0], [0, -1]], [[0, -1], [1, -1]]], atol=1e-12)
    car = sketch("mountain_car").moving(np.array([0.2, 0.0]))[0]
    np.testing.assert_allclose(car[:, 0].mean(), 0.2, atol=0.05)
    assert sketch("acrobot").held(3).seconds == pytest.approx(0.6)


def test_words_of_actions():
    assert action_scale(named("cartpole")) == ("probability of right", 0.0, 1.0)
    assert action_scale(named("acrobot"))[1:] == (0.0, 2.0)
    assert action_scale(named("pendulum")) == ("torque, as a share of the most", -1.0, 1.0)
    assert judged(named("cartpole")) == {"least": 0.0, "most": 500.0, "solved": 475.0}
    with pytest.raises(BadInput, match="no sketch of 'acrobat': .* did you mean acrobot?"):
        sketch("acrobat")
