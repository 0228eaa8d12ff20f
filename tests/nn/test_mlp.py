"""The perceptron is the formula of its docstring, and drops units only where it is given a key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from adl.nn.mlp import MLP
from adl.nn.resnet import BatchNorm

X = np.random.default_rng(0).normal(size=(2, 3, 5)).astype("f")


def test_is_affine_maps_with_a_nonlinearity_between():
    model = MLP((7, 6, 4), activation=jax.nn.sigmoid)
    variables = model.init(jax.random.key(0), X)
    layers = [variables["params"][f"Dense_{i}"] for i in range(3)]
    want = X.astype(np.float64)
    for layer in layers[:-1]:
        want = scipy.special.expit(want @ np.float64(layer["kernel"]) + np.float64(layer["bias"]))
    want = want @ np.float64(layers[-1]["kernel"])
    np.testing.assert_allclose(model.apply(variables, X), want, atol=1e-5)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 5), (0, 5)])
def test_leading_axes_are_examples(shape):
    model = MLP((6, 4))
    variables = model.init(jax.random.key(0), X)
    x = jnp.ones(shape)
    rows = model.apply(variables, x)
    assert rows.shape == (*shape[:-1], 4)
    if rows.size:
        np.testing.assert_allclose(rows.reshape(-1, 4)[-1], model.apply(variables, jnp.ones(5)), rtol=1e-6)


def test_bfloat16_computes_small_and_keeps_float32_parameters():
    model = MLP((6, 4), dtype=jnp.bfloat16)
    variables = model.init(jax.random.key(0), X)
    assert model.apply(variables, X).dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


def test_dropout_acts_where_there_is_a_key_and_keeps_the_mean():
    x = jnp.ones((1, 5))
    model = MLP((20_000, 1), dropout=0.25)
    variables = model.init(jax.random.key(0), x)
    # Positive units and weights: with a share of 1/4 silenced and the rest scaled by 4/3 the sum stays, within 3 %.
    variables = jax.tree.map(lambda leaf: jnp.full_like(leaf, 1 / 20_000), variables)
    sure = model.apply(variables, x)
    np.testing.assert_array_equal(sure, model.apply(variables, x))
    dropped = model.apply(variables, x, rngs={"dropout": jax.random.key(1)})
    assert dropped != sure
    np.testing.assert_allclose(dropped, sure, rtol=0.03)


def test_kernels_start_as_asked():
    ones, twos = (jax.nn.initializers.constant(value) for value in (1.0, 2.0))
    for output, last in ((None, 1.0), (twos, 2.0)):
        params = MLP((3, 2), kernel_init=ones, output_init=output).init(jax.random.key(0), X)["params"]
        assert (params["Dense_0"]["kernel"] == 1).all() and (params["Dense_1"]["kernel"] == last).all()


def test_norm_comes_between_affine_map_and_nonlinearity():
    model = MLP((7, 4), norm=BatchNorm)
    variables = model.init(jax.random.key(0), X)
    got, _ = model.apply(variables, X, mutable=["batch_stats"])
    first, last = (variables["params"][f"Dense_{i}"] for i in range(2))
    h = np.float64(X.reshape(-1, 5)) @ np.float64(first["kernel"])
    h = np.maximum((h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5), 0)  # flax's epsilon
    np.testing.assert_allclose(got.reshape(-1, 4), h @ np.float64(last["kernel"]) + np.float64(last["bias"]), atol=1e-4)
