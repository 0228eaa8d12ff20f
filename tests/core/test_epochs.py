"""Passes over a batch: every row once in each, in an order of its own, on one device or on many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import Algorithm, BadInput, Mean, over_devices
from adl.core.epochs import epochs

KEY, SIZE = jax.random.key(0), 24


def noted(key, state, row, twin):
    """Notes which rows came at which update, and with which key."""
    count, rows, keys = state
    rows, keys = rows.at[count].set(row), keys.at[count].set(jax.random.bits(key))
    return (count + 1, rows, keys), {"same": Mean.of((row * 2 == twin).astype("float32"))}


def start(num_updates, size):
    return jnp.zeros((), "int32"), jnp.zeros((num_updates, size), "int32"), jnp.zeros(num_updates, "uint32")


def test_every_pass_sees_every_row_once_in_an_order_of_its_own():
    batch = jnp.arange(SIZE)
    passes = jax.jit(epochs(noted, 3, 4))
    (count, rows, keys), metrics = passes(KEY, start(12, 6), batch, 2 * batch)
    orders = np.asarray(rows).reshape(3, SIZE)
    assert count == 12
    np.testing.assert_array_equal(np.sort(orders, 1), np.tile(np.arange(SIZE), (3, 1)))
    assert len({tuple(order) for order in orders}) == 3 and not (orders == np.arange(SIZE)).all(1).any()
    assert len(np.unique(keys)) == 12
    assert metrics["same"].value == 1 and metrics["same"].count == 3 * SIZE


def test_each_device_shuffles_its_own_share():
    def step(key, state, batch):
        (_, rows, _), metrics = epochs(noted, 2, 3)(key, start(6, 1), batch, 2 * batch)
        return rows[None], metrics

    alg = Algorithm(lambda key, batch: jnp.zeros((8, 6, 1), "int32"), step, 0)
    seen, metrics = over_devices(alg).step(KEY, jnp.zeros((8, 6, 1), "int32"), jnp.arange(SIZE))
    orders = np.asarray(seen).reshape(8, 2, 3)
    shares = np.arange(SIZE).reshape(8, 1, 3)
    np.testing.assert_array_equal(np.sort(orders, 2), np.broadcast_to(shares, orders.shape))
    assert len({tuple(order) for order in (orders - shares).reshape(16, 3)}) > 3
    assert metrics["same"].value == 1 and metrics["same"].count == 2 * SIZE


def test_minibatches_must_divide_the_batch():
    with pytest.raises(BadInput, match="a batch of 24, .* does not divide into 5 minibatches"):
        epochs(noted, 2, 5)(KEY, start(10, 4), jnp.arange(SIZE), jnp.arange(SIZE))
