"""Probes carry their data: no split is a constant of a program, and a sweep carries one copy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import Mean, full_pass, make_mesh, probe
from adl.data import Split
from adl.measure.samples import judged_samples

KEY = jax.random.key(0)
PICTURES = np.zeros((60, 1000, 28, 28, 1), np.uint8)  # as many as MNIST has


def brightness(scale):
    """Of 60,000 pictures."""

    def measure(key, state, batch):
        return {"mean": Mean.of(scale * state * batch["image"].astype(jnp.float32).mean((1, 2, 3)), batch["mask"])}

    return full_pass(measure, {"image": PICTURES, "mask": np.ones((60, 1000), "f")}, 60_000)


LIFTS = {
    "alone": lambda: (brightness(1.0), KEY, jnp.ones(())),
    "seeds": lambda: (probe.over_seeds(brightness(1.0)), jax.random.split(KEY, 2), jnp.ones(2)),
    "values": lambda: (probe.over_values(brightness, jnp.array([1.0, 2.0])), KEY, jnp.ones(2)),
}


@pytest.mark.parametrize("name", LIFTS)
def test_no_split_is_a_constant_of_a_program(name):
    looks, *arguments = LIFTS[name]()
    compiled = probe.jitted(looks)
    text = compiled.func.lower(*compiled.args, *arguments).as_text()
    assert len(text) < 60_000, "a constant of 60,000 pictures"


def test_the_probe_of_one_sees_its_state_alone_and_keeps_its_data():
    looks = probe.of_one("second", brightness(1.0))
    assert jax.tree.leaves(looks)[0].shape == PICTURES.shape
    found = jax.eval_shape(looks, KEY, {"first": (), "second": jnp.ones(())})
    assert found["mean"].total.shape == ()
    seen = probe.of_one("b", jax.tree_util.Partial(lambda data, key, state: {"x": data + state}, jnp.ones(3)))
    np.testing.assert_array_equal(seen(KEY, {"a": 5.0, "b": 2.0})["x"], 3 * np.ones(3))


def test_values_of_a_sweep_see_the_same_data_each_their_own_way():
    batches = {"x": np.arange(6, dtype="f").reshape(2, 3), "mask": np.ones((2, 3), "f")}

    def scaled(scale):
        def measure(key, state, batch):
            return {"mean": Mean.of(scale * state * batch["x"], batch["mask"])}

        return full_pass(measure, batches, 6)

    seen = probe.jitted(probe.over_values(scaled, jnp.array([1.0, 10.0])))(KEY, jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(seen["mean"].value, [2.5, 50.0])
    both = probe.over_values(lambda scale: probe.over_seeds(scaled(scale)), jnp.array([1.0, 10.0]))
    seen = probe.jitted(both)(jax.random.split(KEY, 2), jnp.array([[1.0, 3.0], [2.0, 4.0]]))
    np.testing.assert_allclose(seen["mean"].value, [[2.5, 7.5], [50.0, 100.0]])


def test_what_is_carried_is_whole_on_every_device_of_a_mesh():
    image = np.eye(8, dtype="f").reshape(8, 2, 4, 1)
    split = Split({"image": (255 * image).astype("uint8"), "label": np.arange(8) % 2})
    test = judged_samples(lambda key, state, label: state + 0 * jax.random.normal(key, image.shape), split)
    alone, meshed = probe.jitted(test), probe.jitted(test, make_mesh())
    jax.tree.map(np.testing.assert_allclose, meshed(KEY, image), alone(KEY, image))
