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
