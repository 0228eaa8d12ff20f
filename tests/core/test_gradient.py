"""A pass through a network, the gradient of a loss, and descent, against what JAX, flax and optax do by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from adl.core import BadInput, Learner, Mean, descend, forward, scale_gradient
from adl.core.gradient import gradient
from adl.nn.resnet import BatchNorm

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


class Noisy(nn.Module):
    """Dropout, batch statistics, a stream of another name, and something sown."""

    @nn.compact
    def __call__(self, x, *, scale=1.0):
        x = BatchNorm()(nn.Dropout(0.5, deterministic=not self.has_rng("dropout"))(x))
        if self.has_rng("params"):
            x = x + jax.random.normal(self.make_rng("other"), x.shape)
        self.sow("losses", "size", x.size)
        return scale * x

    def twice(self, x):
        return self(self(x))


def test_a_pass_in_training_drops_units_moves_statistics_and_draws_from_any_stream():
    x, key = jnp.asarray(np.random.default_rng(0).normal(2, 1, size=(64, 3)), "float32"), jax.random.key(1)
    variables = Noisy().init({"params": key}, x)
    params, extras = variables["params"], {"batch_stats": variables["batch_stats"]}
    output, moved = forward(Noisy(), key, params, extras, x)
    again, _ = forward(Noisy(), key, params, extras, x)
    other, _ = forward(Noisy(), jax.random.key(2), params, extras, x)
    np.testing.assert_array_equal(output, again)
    assert np.abs(output - other).min() > 0
    assert jax.tree.structure(moved) == jax.tree.structure(extras)
    running = moved["batch_stats"]["BatchNorm_0"]["BatchNorm_0"]["mean"]
    still, steady = forward(Noisy(), None, params, extras, x)  # nothing is drawn, but statistics move
    np.testing.assert_allclose(steady["batch_stats"]["BatchNorm_0"]["BatchNorm_0"]["mean"], 0.1 * x.mean(0), rtol=1e-5)
    assert np.abs(running - 0.1 * x.mean(0)).max() > 1e-3  # of what was left
    np.testing.assert_allclose(still.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(Noisy().apply(variables, x), x, rtol=1e-4)  # to look: nothing drops, statistics rest


def test_a_pass_hands_on_keywords_methods_and_what_was_sown():
    x, key = jnp.ones((4, 3)), jax.random.key(1)
    variables = Noisy().init(key, x)
    args = (Noisy(), key, variables["params"], {"batch_stats": variables["batch_stats"]})
    once, _ = forward(*args, x)
    doubled, extras = forward(*args, x, scale=2.0, sown=("losses",))
    np.testing.assert_allclose(doubled, 2 * once)
    assert jax.tree.leaves(extras.pop("losses")) == [12] and list(extras) == ["batch_stats"]
    by_name, _ = forward(nn.Dense(3), None, {"kernel": jnp.eye(3), "bias": jnp.ones(3)}, {}, x, method="__call__")
    both, _ = forward(
        nn.Dense(3), None, {"kernel": jnp.eye(3), "bias": jnp.ones(3)}, {}, method=lambda dense: dense(dense(x))
    )
    np.testing.assert_allclose(both, by_name + 1)


def said(key, params, extras, batch):
    """The loss, and of each example its error."""
    metrics, extras = loss(key, params, extras, batch)
    return metrics, extras, {"error": batch[0] @ params["w"] - batch[1], "row": batch[0]}


def test_gradient_is_that_of_the_mean_and_leaves_the_learner_alone():
    weight = jnp.array([1.0, 1, 1, 0, 0, 2, 0, 0])
    found = gradient(loss)(None, PARAMS, {"count": 3}, (X, Y, weight))
    want, slope = jax.value_and_grad(lambda p: jnp.average((X @ p["w"] - Y) ** 2, weights=weight))(PARAMS)
    np.testing.assert_allclose(found.grads["w"], slope["w"], rtol=1e-5)
    np.testing.assert_allclose(found.value, want, rtol=1e-5)
    np.testing.assert_allclose(found.metrics["loss"].value, want, rtol=1e-5)
    assert found.extras == {"count": 3} and found.seen is None


def test_gradient_and_value_are_of_all_devices_but_metrics_and_what_is_seen_are_not():
    weight = jnp.array([1.0, 1, 1, 0, 0, 1, 0, 0])
    want = gradient(said)(None, PARAMS, {}, (X, Y, weight))
    shares = jax.tree.map(lambda x: x.reshape(4, 2, *x.shape[1:]), (X, Y, weight))
    each = jax.vmap(gradient(said, "devices"), (None, None, None, 0), axis_name="devices")
    got = each(None, PARAMS, {}, shares)
    for device in range(4):
        np.testing.assert_allclose(got.grads["w"][device], want.grads["w"], rtol=1e-5)
        np.testing.assert_allclose(got.value[device], want.value, rtol=1e-5)
    np.testing.assert_array_equal(got.metrics["loss"].count, [2, 1, 1, 0])
    np.testing.assert_allclose(got.seen["error"].reshape(8), want.seen["error"], rtol=1e-6)


def test_extras_are_averaged_over_devices():
    def mean(key, params, extras, x):
        return {"loss": Mean.of(x * params["w"])}, {"mean": x.mean(), "count": extras["count"] + 1}

    learner = Learner.create({"params": {"w": 1.0}, "mean": 0.0, "count": jnp.int32(4)}, optax.sgd(0.1))
    update = jax.vmap(descend(mean, optax.sgd(0.1), "devices"), (None, None, 0), axis_name="devices")
    learner, _ = update(None, learner, jnp.arange(8.0).reshape(4, 2))
    np.testing.assert_allclose(learner.extras["mean"], 3.5)
    assert (learner.extras["count"] == 5).all() and learner.extras["count"].dtype == jnp.int32


def test_what_the_loss_says_of_each_example_comes_back_in_the_order_of_the_batch():
    learner, batch = Learner.create({"params": PARAMS}, optax.sgd(0.1)), (X, Y, jnp.ones(8))
    silent, metrics = descend(loss, optax.sgd(0.1))(None, learner, batch)
    whole, told, seen = descend(said, optax.sgd(0.1))(None, learner, batch)
    jax.tree.map(np.testing.assert_array_equal, (silent, metrics), (whole, told))
    np.testing.assert_array_equal(seen["error"], X @ PARAMS["w"] - Y)
    _, _, in_parts = jax.jit(descend(said, optax.sgd(0.1), microbatches=4))(jax.random.key(0), learner, batch)
    np.testing.assert_array_equal(in_parts["row"], X)
    np.testing.assert_allclose(in_parts["error"], seen["error"], rtol=1e-6)


def test_nothing_that_counts_moves_nothing():
    """On no device, or in no part of the batch: gradients of 0, of which Adam counts a step."""
    tx = optax.adam(0.1)
    learner = Learner.create({"params": {"w": jnp.ones(3)}}, tx)
    for update in (descend(loss, tx), descend(loss, tx, microbatches=2)):
        moved, metrics = update(jax.random.key(0), learner, (X, Y, jnp.zeros(8)))
        np.testing.assert_array_equal(moved.params["w"], learner.params["w"])
        assert metrics["loss"].count == 0 and optax.tree.get(moved.opt_state, "count") == 1
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(moved))
    found = gradient(loss)(None, learner.params, {}, (X, Y, jnp.zeros(8)))
    assert np.isnan(found.value) and (found.grads["w"] == 0).all()
