"""The continuous flow is the exact Gaussian's where its velocity is linear; of a network, differences agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.scipy.linalg import expm
from scipy import stats

from adl.flow.continuous import ODE
from adl.flow.likelihood import Flow
from adl.nn.mlp import MLP

pytest.importorskip("diffrax")
A = np.array([[0.4, -0.7], [0.2, -0.3]], "f")


def linear(x):
    """Dense layer whose weights are A: v = A x, of a time that is not looked at."""
    return {"params": {"layers_0": {"network": {"kernel": jnp.concatenate([A.T, jnp.zeros((1, 2))])}}}}


def test_a_linear_velocity_gives_the_exact_gaussian():
    model = Flow((ODE(nn.Dense(2, use_bias=False)),))
    x = jax.random.normal(jax.random.key(0), (20, 2))
    assert jax.tree.structure(model.init(jax.random.key(0), x)) == jax.tree.structure(linear(x))
    log_prob = model.apply(linear(x), x, method="log_prob")
    root = np.linalg.inv(np.asarray(expm(jnp.asarray(A)), float))  # x = exp(-A) z
    want = stats.multivariate_normal([0, 0], root @ root.T).logpdf(x)
    np.testing.assert_allclose(log_prob, want, rtol=1e-3, atol=1e-3)
    z, log_det = model.apply(linear(x), x)
    np.testing.assert_allclose(log_det, np.trace(A), rtol=1e-3)
    np.testing.assert_allclose(model.apply(linear(x), z, method="inverse"), x, rtol=1e-3, atol=1e-3)


@pytest.mark.full
def test_of_a_network_log_det_is_that_of_differences_and_all_parameters_learn():
    model = Flow((ODE(MLP((8, 2), jnp.tanh), "hutchinson"),))
    x = jax.random.normal(jax.random.key(0), (6, 2))
    variables = model.init(jax.random.key(1), x)
    _, log_det = model.apply(variables, x)
    want = [jnp.linalg.slogdet(_numerical(lambda y: model.apply(variables, y)[0], one))[1] for one in x[:2]]
    np.testing.assert_allclose(log_det[:2], want, rtol=2e-2, atol=2e-2)
    loss = lambda v, key: -model.apply(v, x, method="log_prob", rngs={"dropout": key}).mean()  # noqa: E731
    slopes = jax.grad(loss)(variables, jax.random.key(2))
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slopes))


def _numerical(f, x, h=1e-2):
    sides = jnp.concatenate([x[None] + h * jnp.eye(2), x[None] - h * jnp.eye(2)])
    z = f(sides)
    return (z[:2] - z[2:]).T / (2 * h)
