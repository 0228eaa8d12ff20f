"""Descent against optax by hand; the average of parameters against a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput, Learner, Mean, average_params, averaged, descend, scale_gradient, tree

X = jnp.asarray(np.random.default_rng(0).normal(size=(8, 3)), "float32")
Y = X @ jnp.array([1.0, -2.0, 0.5])
PARAMS = {"w": jnp.zeros(3)}


def loss(key, params, extras, batch):
    x, y, weight = batch
    return {"loss": Mean.of((x @ params["w"] - y) ** 2, weight)}, extras


def test_descends_the_weighted_mean():
    weight = jnp.array([1.0, 1, 1, 0, 0, 2, 0, 0])
    tx = optax.adam(0.1)
    learner, metrics = descend(loss, tx)(None, Learner.create({"params": PARAMS}, tx), (X, Y, weight))

    def by_hand(params):
        return jnp.average((X @ params["w"] - Y) ** 2, weights=weight)

    updates, _ = tx.update(jax.grad(by_hand)(PARAMS), tx.init(PARAMS), PARAMS)
    np.testing.assert_allclose(learner.params["w"], optax.apply_updates(PARAMS, updates)["w"], rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"].value, by_hand(PARAMS), rtol=1e-5)


def test_devices_that_count_differently_give_the_exact_gradient():
    """Four mapped devices with 2, 1, 1 and 0 counted examples: a mean of means would be another gradient."""
    weight = jnp.array([1.0, 1, 1, 0, 0, 1, 0, 0])
    learner = Learner.create({"params": PARAMS}, optax.sgd(0.1))
    batch = (X, Y, weight)
    want, _ = descend(loss, optax.sgd(0.1))(None, learner, batch)
    shares = jax.tree.map(lambda x: x.reshape(4, 2, *x.shape[1:]), batch)
    update = descend(loss, optax.sgd(0.1), "devices")
    got, _ = jax.vmap(update, (None, None, 0), axis_name="devices")(None, learner, shares)
    for device in range(4):
        np.testing.assert_allclose(got.params["w"][device], want.params["w"], rtol=1e-5)


def test_accumulated_gradients_are_those_of_the_large_batch():
    ones = jnp.ones(8)
    large = optax.adam(0.1)
    small = optax.MultiSteps(large, 4)
    want, _ = descend(loss, large)(None, Learner.create({"params": PARAMS}, large), (X, Y, ones))
    got = Learner.create({"params": PARAMS}, small)
    for start in range(0, 8, 2):
        part = slice(start, start + 2)
        got, _ = descend(loss, small)(None, got, (X[part], Y[part], ones[part]))
    np.testing.assert_allclose(got.params["w"], want.params["w"], rtol=1e-5)


def test_microbatches_that_count_differently_give_the_exact_gradient():
    """Parts of weight 0, 1, 2 and 3, where a mean of means would be another gradient."""
    weight = jnp.array([0.0, 1, 2, 3, 0, 0, 0, 0])
    learner = Learner.create({"params": PARAMS}, optax.adam(0.1))
    want, told = descend(loss, optax.adam(0.1))(jax.random.key(0), learner, (X, Y, weight))
    update = descend(loss, optax.adam(0.1), microbatches=4)
    got, of_parts = jax.jit(update)(jax.random.key(0), learner, (X, Y, weight))
    np.testing.assert_allclose(got.params["w"], want.params["w"], rtol=1e-5)
    np.testing.assert_allclose(of_parts["loss"], told["loss"], rtol=1e-5)


def test_microbatches_hand_on_their_extras_and_have_keys_of_their_own():
    def noisy(key, params, extras, x):
        noise = jax.random.normal(key, ())
        extras = {"seen": extras["seen"] * 10 + x[0], "noise": extras["noise"] + noise}
        return {"loss": Mean.of(params["w"].sum() * noise * jnp.ones(len(x)))}, extras

    variables = {"params": PARAMS, "seen": jnp.array(0.0), "noise": jnp.array(0.0)}
    learner = Learner.create(variables, optax.sgd(1.0))
    got, _ = descend(noisy, optax.sgd(1.0), microbatches=3)(jax.random.key(1), learner, jnp.array([1.0, 2, 3, 1, 2, 3]))
    assert got.extras["seen"] == 123
    noise = [float(jax.random.normal(key)) for key in jax.random.split(jax.random.key(1), 3)]
    np.testing.assert_allclose(got.extras["noise"], sum(noise), rtol=1e-5)
    np.testing.assert_allclose(got.params["w"], -np.mean(noise), rtol=1e-5)


def test_microbatches_take_less_memory():
    def deep(key, params, extras, x):
        for _ in range(8):
            x = jnp.tanh(x @ params["w"])
        return {"loss": Mean.of(x)}, extras

    learner = Learner.create({"params": {"w": jnp.eye(16)}}, optax.sgd(0.1))
    whole, parts = (
        jax.jit(descend(deep, optax.sgd(0.1), microbatches=n))
        .lower(jax.random.key(0), learner, jnp.ones((1024, 16)))
        .compile()
        .memory_analysis()
        .temp_size_in_bytes
        for n in (1, 16)
    )
    assert parts < whole / 3


def test_microbatches_must_divide_the_batch():
    learner = Learner.create({"params": PARAMS}, optax.sgd(0.1))
    with pytest.raises(BadInput, match="a batch of 8 does not divide by 3 microbatches"):
        descend(loss, optax.sgd(0.1), microbatches=3)(jax.random.key(0), learner, (X, Y, jnp.ones(8)))


def test_average_of_parameters_is_the_loop():
    tx = optax.chain(optax.sgd(0.05), average_params(0.9, warmup=10.0))
    learner, average = Learner.create({"params": PARAMS}, tx), PARAMS["w"]
    for t in range(1, 40):
        learner, _ = descend(loss, tx)(None, learner, (X, Y, jnp.ones(8)))
        rate = min(0.9, t / (t + 10.0))
        average = rate * average + (1 - rate) * learner.params["w"]
    np.testing.assert_allclose(averaged(learner)["w"], average, rtol=1e-5)
    assert tree.norm(tree.ema(averaged(learner), learner.params, 0.0)) > 0


def test_average_is_asked_for_where_there_is_none():
    with pytest.raises(KeyError, match="average_params"):
        averaged(Learner.create({"params": PARAMS}, optax.sgd(0.1)))


def test_plateau_schedules_receive_the_loss():
    tx = optax.chain(optax.sgd(0.0), optax.contrib.reduce_on_plateau(patience=1))
    learner = Learner.create({"params": PARAMS}, tx)
    for _ in range(3):
        learner, _ = descend(loss, tx)(None, learner, (X, Y, jnp.ones(8)))
    assert optax.tree.get(learner.opt_state, "scale") < 1


def test_scaled_gradient():
    value, pull = jax.vjp(lambda x: scale_gradient(x, jnp.array([[2.0], [-1.0]])), jnp.ones((2, 3)))
    np.testing.assert_array_equal(value, 1)
    np.testing.assert_array_equal(pull(jnp.full((2, 3), 5.0))[0], [[10.0] * 3, [-5.0] * 3])
