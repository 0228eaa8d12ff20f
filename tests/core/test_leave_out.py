"""What is left out is not seen, and the run that leaves nothing out is the run itself."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from adl.core import Algorithm, Learner, Mean, descend, jitted, leaving_out, over_devices

KEY = jax.random.key(0)


def remembering() -> Algorithm:
    """Its state is the batch that it saw, and the times that it moved."""

    def init(key, batch):
        return {"seen": batch["x"], "moves": jnp.zeros((), jnp.int32)}

    def step(key, state, batch):
        return {"seen": batch["x"], "moves": state["moves"] + 1}, {"mean": Mean.of(batch["x"])}

    return Algorithm(init, step)


def test_others_take_the_places_in_their_order_and_none_where_there_are_none():
    batch = {"x": jnp.arange(5.0), "label": jnp.array([1, 0, 1, 2, 2])}
    alg = leaving_out(remembering(), "label", [0, 1, -1])
    state = alg.init(KEY, batch)
    np.testing.assert_array_equal(state["seen"], [[0, 2, 3, 4, 0], [1, 3, 4, 1, 3], [0, 1, 2, 3, 4]])
    again, told = jax.jit(alg.step)(KEY, state, {"x": jnp.full(5, 9.0), "label": jnp.full(5, 1)})
    np.testing.assert_array_equal(again["moves"], [1, 0, 1])
    np.testing.assert_array_equal(again["seen"][1], state["seen"][1])
    assert (float(told["mean"].value), float(told["mean"].count)) == (9, 10)


def test_each_run_has_a_key_of_its_own_and_that_of_all_is_the_plain_one():
    def step(key, state, batch):
        return state + batch["x"].mean() + jax.random.normal(key), {}

    plain = Algorithm(lambda key, batch: jax.random.normal(key), step)
    batch, keys = {"x": jnp.arange(4.0), "label": jnp.arange(4)}, jax.random.split(KEY, 2)
    alg = leaving_out(plain, "label", [3, 7])
    state = alg.step(keys, alg.init(keys, batch), batch)[0]
    np.testing.assert_allclose(state[1], plain.step(keys[1], plain.init(keys[1], batch), batch)[0], rtol=1e-6)
    want = plain.init(keys[0], batch) + np.mean([0, 1, 2, 0]) + jax.random.normal(keys[0])
    np.testing.assert_allclose(state[0], want, rtol=1e-6)


def test_devices_deal_the_whole_batch_out():
    """As one device sees it: what is left out of one share is filled from another's."""

    def linear(axis):
        def loss(key, params, extras, batch):
            return {"loss": Mean.of(jnp.square(batch["x"] * params["w"] - 1))}, extras

        tx = optax.sgd(0.1)

        def init(key, batch):
            return Learner.create({"params": {"w": jax.random.normal(key)}}, tx)

        return leaving_out(Algorithm(init, descend(loss, tx, axis)), "label", [0, 1, 9], axis=axis)

    batch = {"x": jnp.arange(8.0), "label": jnp.array([0, 0, 0, 0, 0, 1, 2, 1])}
    one, many = jitted(linear(None)), over_devices(linear("data"))
    states = []
    for alg in (one, many):
        state, told = alg.step(KEY, alg.init(KEY, batch), batch)
        states.append((state.params, told["loss"].value))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), *states)
