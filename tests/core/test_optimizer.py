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


def test_what_is_orthogonalised_is_not_rounded_in_between():
    """Of low rank: eigenvalues of the Gram matrix that are 0 but for rounding would grow by 11.9 an iteration."""
    text = jax.jit(optimizer.orthogonalised).lower(jnp.ones((8, 72))).as_text()
    assert text.count("dot_general") == text.count("precision = [HIGHEST, HIGHEST]") > 0


def test_what_is_orthogonalised_keeps_its_singular_vectors():
    for size in ((20, 6), (6, 20), (8, 8)):
        matrix = np.random.default_rng(1).normal(size=size)
        u, _, vt = np.linalg.svd(matrix, full_matrices=False)
        core = u.T @ np.asarray(optimizer.orthogonalised(jnp.asarray(matrix, "float32"))) @ vt.T
        np.testing.assert_allclose(core, np.diag(np.diag(core)), atol=1e-4)
        assert (np.diag(core) > 0.6).all() and (np.diag(core) < 1.25).all()
    np.testing.assert_array_equal(optimizer.orthogonalised(jnp.zeros((3, 4))), 0)


def test_muon_is_its_parts_by_hand():
    tx = optimizer.muon(0.1, weight_decay=0.5, momentum=0.9, others=0.3)
    params = {"kernel": jnp.asarray(np.random.default_rng(2).normal(size=(1, 2, 3, 8)), "float32"), "bias": jnp.ones(2)}
    grads = jax.tree.map(lambda leaf: jnp.sin(3 * leaf), params)
    updates, state = tx.update(grads, tx.init(params), params)
    straight = np.asarray(optimizer.orthogonalised(grads["kernel"].reshape(6, 8)))  # of the first step, g + m g
    want = -0.1 * ((8 / 6) ** 0.5 * straight.reshape(1, 2, 3, 8) + 0.5 * params["kernel"])
    np.testing.assert_allclose(updates["kernel"], want, atol=1e-5)
    np.testing.assert_allclose(updates["bias"], -0.03, rtol=1e-5)
    other = jax.tree.map(jnp.cos, params)
    updates, _ = tx.update(other, state, params)
    both = 1.9 * other["kernel"] + 0.81 * grads["kernel"]  # g + m (g + m g before)
    straight = np.asarray(optimizer.orthogonalised(both.reshape(6, 8)))
    want = -0.1 * ((8 / 6) ** 0.5 * straight.reshape(1, 2, 3, 8) + 0.5 * params["kernel"])
    np.testing.assert_allclose(updates["kernel"], want, atol=1e-5)


def test_muon_takes_numbers_of_a_sweep_and_keeps_an_average():
    def last(rate):
        learner, path = descended(optimizer.muon(rate, optimizer.cosine(12), weight_decay=0.1, average=0.5), 4)
        return path[-1], learner.averaged["params"]

    together = jax.vmap(last)(jnp.array([0.01, 0.1]))
    for i, rate in enumerate((0.01, 0.1)):
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-4, atol=1e-6), together, last(rate))
