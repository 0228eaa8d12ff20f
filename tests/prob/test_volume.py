"""The trace of a Jacobian is autodiff's; along random signs it is so in expectation."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.prob.volume import exact_trace, trace_along


def velocity(x):
    return jnp.stack([jnp.sin(x[:, 0] * x[:, 1]), x[:, 0] ** 2 + x[:, 1] ** 3], -1)


def test_hutchinsons_trace_is_the_exact_one_in_expectation():
    x = jax.random.normal(jax.random.key(0), (3, 2))
    v, exact = exact_trace(velocity, x)
    np.testing.assert_allclose(v, velocity(x), rtol=1e-6)
    jacobian = jax.vmap(jax.jacobian(lambda one: velocity(one[None])[0]))(x)
    np.testing.assert_allclose(exact, jnp.trace(jacobian, axis1=1, axis2=2), rtol=1e-4)
    # All four pairs of signs: their mean is the expectation.
    signs = jnp.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    drawn = jax.vmap(lambda sign: trace_along(velocity, x, jnp.tile(sign[None], (3, 1)))[1])(signs)
    np.testing.assert_allclose(drawn.mean(0), exact, rtol=1e-4, atol=1e-5)
    assert drawn.std(0).max() > 1e-2


def test_examples_of_any_shape_and_more_numbers_than_are_pushed_at_once():
    a = jax.random.normal(jax.random.key(1), (12, 12))
    linear = lambda x: (x.reshape(len(x), 12) @ a.T).reshape(x.shape)  # noqa: E731
    x = jax.random.normal(jax.random.key(0), (2, 2, 3, 2))
    v, trace = jax.jit(lambda x: exact_trace(linear, x))(x)
    assert v.shape == x.shape
    np.testing.assert_allclose(trace, jnp.trace(a), rtol=1e-5)
