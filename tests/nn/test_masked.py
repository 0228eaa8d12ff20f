"""The masked perceptron looks only back, in any order, and sees all that it may."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.nn.masked import MaskedMLP, hidden_degrees


def seen(model, x, order=None, context=None):
    """`[D, D]` whether what is said of d moves with the number i, by autodiff."""
    variables = model.init(jax.random.key(0), x, context, order=order)
    slope = jax.jit(jax.jacobian(lambda x: model.apply(variables, x, context, order=order)))(x)
    return np.abs(slope).sum(1) > 0


@pytest.mark.parametrize("features, direct", [((12, 12), False), ((2,), True), ((), True)])
def test_gradient_sees_what_is_before_and_nothing_else(features, direct):
    model = MaskedMLP(features, num_outputs=2, activation=jnp.tanh, direct=direct)
    x, order = jax.random.normal(jax.random.key(1), (5,)), np.array([3, 0, 4, 1, 2])
    np.testing.assert_array_equal(seen(model, x, order), order[:, None] > order[None, :])
    np.testing.assert_array_equal(seen(model, x), np.tri(5, k=-1) > 0)


def test_one_network_serves_many_orders_and_the_context_is_seen_by_all():
    model, x, context = MaskedMLP((8,), direct=True), jnp.ones((3, 4)), jnp.ones((3, 2))
    variables = model.init(jax.random.key(0), x, context)
    slope = jax.jacobian(lambda c: model.apply(variables, x[0], c)[:, 0])(context[0])
    assert (jnp.abs(slope).sum(1) > 0).all()
    orders = jnp.array([[0, 1, 2, 3], [3, 2, 1, 0]])
    told = jax.vmap(lambda order: model.apply(variables, x, context, order=order))(orders)
    assert told.shape == (2, 3, 4, 1) and not jnp.allclose(told[0], told[1])


def test_a_single_number_is_told_nothing_of_itself():
    assert not seen(MaskedMLP((3,)), jnp.ones(1)).any()


@pytest.mark.parametrize("width", [1, 3, 8, 40])
def test_degrees_reach_the_last_that_may_be_seen(width):
    degrees = hidden_degrees(width, 9)
    assert degrees.min() >= 1 and degrees.max() == 8 and (np.diff(degrees) >= 0).all()
    if width >= 8:
        assert set(degrees) == {*range(1, 9)}
    with pytest.raises(BadInput, match="0 units"):
        hidden_degrees(0, 9)
