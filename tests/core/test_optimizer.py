"""The optimizer against the same chain written by hand; the average of parameters against a loop."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import Learner, Mean, average_params, descend, optimizer

X = jnp.asarray(np.random.default_rng(0).normal(size=(8, 3)), "float32")
Y = X @ jnp.array([1.0, -2.0, 0.5])
PARAMS = {"w": jnp.zeros((3, 1)), "b": jnp.ones(1)}


def loss(key, params, extras, batch):
    x, y = batch
    return {"loss": Mean.of(((x @ params["w"])[:, 0] + params["b"] - y) ** 2)}, extras


def descended(tx, steps=12):
    """Parameters after each step."""
    learner, path = Learner.create({"params": PARAMS, "batch_stats": {"mean": jnp.ones(2)}}, tx), []
    for _ in range(steps):
        learner, _ = descend(loss, tx)(None, learner, (X, Y))
        path.append(learner.params)
    return learner, path


def test_is_the_chain_by_hand():
    rate = optax.warmup_cosine_decay_schedule(0.0, 0.1, 3, 12, 0.01)
    is_kernel = functools.partial(jax.tree.map, lambda leaf: leaf.ndim > 1)
    by_hand = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.99, eps=1e-6, weight_decay=0.3, mask=is_kernel)
    )
    shape = optimizer.cosine(12, warmup=3, end=0.1)
    ours = optimizer.adam(0.1, shape, clip=1.0, weight_decay=0.3, mask=optimizer.matrices, b2=0.99, eps=1e-6)
    for got, want in zip(descended(ours)[1], descended(by_hand)[1], strict=True):
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5), got, want)


def test_without_anything_is_adam():
    got, want = descended(optimizer.adam(0.1, b1=0.5)), descended(optax.adam(0.1, b1=0.5))
    jax.tree.map(np.testing.assert_array_equal, got[1], want[1])
    assert jax.tree.structure(got[0].opt_state) == jax.tree.structure(want[0].opt_state)


@pytest.mark.parametrize(
    ("shape", "want"),
    [
        (optimizer.warm_up(4), [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        (optimizer.linear(4), [1, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0]),
        (
            optimizer.cosine(4, end=0.2),
            [1, 0.2 + 0.8 * (2 + 2**0.5) / 4, 0.6, 0.2 + 0.8 * (2 - 2**0.5) / 4] + [0.2] * 5,
        ),
        (optimizer.cosine(8, warmup=4), [0, 0.25, 0.5, 0.75, 1, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4, 0]),
        (optimizer.cosine(1, warmup=4), [1] + [0] * 8),
    ],
)
def test_shapes(shape, want):
    np.testing.assert_allclose([shape(step) for step in range(9)], want, atol=1e-6)


def test_every_number_may_be_a_value_of_a_sweep():
    def after(rate, decay, average):
        tx = optimizer.adam(rate, optimizer.cosine(12), weight_decay=decay, average=average)
        return descended(tx)[0].averaged["params"]["w"]

    values = jnp.array([0.01, 0.1]), jnp.array([0.0, 0.5]), jnp.array([0.5, 0.9])
    swept = jax.vmap(after)(*values)
    for index in range(2):
        alone = after(*(float(value[index]) for value in values))
        np.testing.assert_allclose(swept[index], alone, rtol=1e-4, atol=1e-6)


def test_average_of_parameters_is_the_loop():
    tx = optimizer.adam(0.05, average=0.9)
    learner, path = descended(tx, 40)
    average = PARAMS["w"]
    for t, params in enumerate(path, 1):
        rate = min(0.9, t / (t + 10.0))
        average = rate * average + (1 - rate) * params["w"]
    np.testing.assert_allclose(learner.averaged["params"]["w"], average, rtol=1e-4)


def test_averaged_variables_have_their_extras():
    learner, _ = descended(optimizer.adam(0.05, average=0.9), 2)
    assert list(learner.averaged) == ["params", "batch_stats"] == list(learner.variables)
    np.testing.assert_array_equal(learner.averaged["batch_stats"]["mean"], 1)


def test_average_is_asked_for_where_there_is_none():
    with pytest.raises(KeyError, match="average_params"):
        _ = Learner.create({"params": PARAMS}, optax.sgd(0.1)).averaged


def test_average_begins_in_a_buffer_of_its_own():
    average = average_params(0.9).init(PARAMS).average
    assert average["w"].unsafe_buffer_pointer() != PARAMS["w"].unsafe_buffer_pointer()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e15, 1e30])
def test_clips_updates_of_any_size(scale):
    """Where squares overflow, too: they became 0."""
    updates = {"w": scale * jnp.array([3.0, 0.0]), "b": scale * jnp.array([[4.0]])}
    tx = optimizer.clip_by_norm(1.0)
    got, _ = tx.update(updates, tx.init(updates), None)
    shorter = min(1, 1 / (5 * scale))
    np.testing.assert_allclose(got["w"], shorter * np.array([3.0, 0.0]) * scale, rtol=1e-5)
    np.testing.assert_allclose(got["b"], [[shorter * 4.0 * scale]], rtol=1e-5)


def test_what_is_infinite_is_not_clipped_to_a_number():
    tx = optimizer.clip_by_norm(1.0)
    for bad in (jnp.inf, jnp.nan):
        got, _ = tx.update({"w": jnp.array([1.0, bad])}, tx.init({}), None)
        assert np.isnan(got["w"]).all()
