"""Arithmetic on pytrees, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import tree

A = {"a": jnp.arange(6.0).reshape(2, 3), "b": (jnp.array([1.0, -2.0]),)}
B = jax.tree.map(lambda x: x + 10, A)


def test_norm_and_count():
    flat = np.concatenate([np.ravel(x) for x in jax.tree.leaves(A)])
    np.testing.assert_allclose(tree.norm(A), np.linalg.norm(flat), rtol=1e-6)
    assert tree.count(A) == flat.size == 8


def test_ema_is_the_convex_combination():
    np.testing.assert_allclose(tree.ema(A, B, 0.9)["a"], 0.9 * A["a"] + 0.1 * B["a"], rtol=1e-6)


def test_where_aligns_with_leading_axes():
    picked = tree.where(jnp.array([True, False]), A, B)
    np.testing.assert_array_equal(picked["a"], np.stack([A["a"][0], B["a"][1]]))
    np.testing.assert_array_equal(picked["b"][0], [A["b"][0][0], B["b"][0][1]])


def test_finite_names_the_leaf():
    assert tree.finite((jnp.ones(2), jnp.array([1.0, jnp.inf]), jnp.array(3), jax.random.key(0))).tolist() == [
        True,
        False,
        True,
        True,
    ]


def test_copy_shares_no_buffer():
    x = jnp.arange(3.0)
    assert tree.copy(x).unsafe_buffer_pointer() != x.unsafe_buffer_pointer()


def test_a_norm_of_any_size_and_its_slope():
    leaves = [np.array([3.0, 0.0]), np.array([[4.0]])]
    for scale in (1e-30, 1e-15, 1.0, 1e15, 1e30):
        x = [jnp.asarray(scale * leaf, "f") for leaf in leaves]
        value, slope = jax.value_and_grad(tree.norm)(x)
        np.testing.assert_allclose(value, 5 * scale, rtol=1e-6)
        for got, want in zip(slope, leaves, strict=True):
            np.testing.assert_allclose(got, want / 5, rtol=1e-6)
    value, slope = jax.value_and_grad(tree.norm)([jnp.zeros(2), jnp.zeros((0, 3))])
    assert value == 0 and (slope[0] == 0).all() and tree.norm({}) == 0
    assert tree.norm([jnp.array([1.0, jnp.inf])]) == jnp.inf and np.isnan(tree.norm([jnp.array([1.0, jnp.nan])]))
