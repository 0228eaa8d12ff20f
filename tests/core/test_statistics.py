"""Counting: sums over devices, and passes that see every example once."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import Mean, accumulate, full_pass, gathered, standardise


def test_accumulate_sums_over_devices():
    def measure(key, state, batch):
        return {"sum": batch.sum(), "count": jnp.float32(batch.size)}, {"batch": Mean.of(batch)}

    def move(state, statistics):
        return statistics["sum"] / statistics["count"] - state

    data = jnp.arange(8.0)
    want, _ = accumulate(measure, move)(None, 1.0, data)
    update = accumulate(measure, move, "devices")
    got, _ = jax.vmap(update, (None, None, 0), axis_name="devices")(None, 1.0, data.reshape(4, 2))
    np.testing.assert_allclose(want, data.mean() - 1.0)
    np.testing.assert_allclose(got, np.full(4, want))


def test_full_pass_leaves_padding_out():
    values = np.arange(7.0, dtype="f")
    batches = {"x": np.pad(values, (0, 2), constant_values=np.nan).reshape(3, 3)}
    batches["mask"] = np.pad(np.ones(7, "f"), (0, 2)).reshape(3, 3)

    def measure(key, state, batch):
        return {"mean": Mean.of(batch["x"] + state, batch["mask"]), "x": batch["x"]}

    result = full_pass(measure, batches, 7)(jax.random.key(0), 1.0)
    np.testing.assert_allclose(result["mean"].value, values.mean() + 1)
    assert result["mean"].count == 7
    np.testing.assert_array_equal(result["x"], values)


def test_standardise_is_over_all_devices():
    data = np.random.default_rng(0).normal(3, 2, size=(4, 6)).astype("f")
    want = (data - data.mean()) / data.std()
    np.testing.assert_allclose(standardise(jnp.asarray(data)), want, rtol=1e-4, atol=1e-6)
    got = jax.vmap(lambda x: standardise(x, "devices"), axis_name="devices")(jnp.asarray(data))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(standardise(jnp.full(3, 7.0)), np.zeros(3))


def test_every_device_gathers_all_rows_in_order_and_the_first_key():
    data = {"a": jnp.arange(24.0).reshape(4, 3, 2), "b": jnp.arange(12).reshape(4, 3)}
    got = jax.vmap(lambda x: gathered(x, "devices"), axis_name="devices")(data)
    for name, whole in data.items():
        for device in range(4):
            np.testing.assert_array_equal(got[name][device], np.concatenate(whole))
    assert gathered(data) is data
    keys = jax.random.split(jax.random.key(0), 4)
    luck = jax.vmap(lambda key: gathered(key[None], "devices")[0], axis_name="devices")(keys)
    np.testing.assert_array_equal(jax.random.key_data(luck), np.stack([jax.random.key_data(keys[0])] * 4))


def test_standardised_at_an_offset_and_where_there_is_nothing_to_standardise():
    x = np.random.default_rng(0).normal(size=(1000,)).astype("f") + 1e4
    want = (x - x.mean(dtype=np.float64)) / x.std(dtype=np.float64)
    np.testing.assert_allclose(standardise(jnp.asarray(x)), want, atol=2e-3)  # its mean is rounded by 5e-4
    for constant in (0.1, 1e4 + 0.1, 1e15, -1e-15):
        np.testing.assert_array_equal(standardise(jnp.full(1000, constant)), 0)
