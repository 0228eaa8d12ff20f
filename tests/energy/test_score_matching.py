"""Of a Gaussian the minimum of every objective is known, and slices agree with the trace in the mean."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import jitted
from adl.energy.score_matching import score_matching
from adl.nn.mlp import MLP
from adl.prob.score import by_noise, by_slices, by_trace

X = np.float32(np.random.default_rng(0).normal(size=(400, 3)) * np.array([0.6, 1.0, 1.5]) + np.array([1, 0, -1]))
NOISE = 0.5


class Bowl(nn.Module):
    """E(x) = sum_i (x_i - m_i)^2 / 2 v_i."""

    @nn.compact
    def __call__(self, x):
        mean = self.param("mean", nn.initializers.zeros, (3,))
        return 0.5 * (
            jnp.square(x - mean[None]) * jnp.exp(-self.param("log_var", nn.initializers.zeros, (3,)))[None]
        ).sum(-1)


class Bumps(nn.Module):
    """A network's energy."""

    @nn.compact
    def __call__(self, x):
        return MLP((16, 1), activation=nn.silu)(x)[..., 0]


@pytest.mark.parametrize(
    ("objective", "more"),
    [(by_trace, 0), (by_slices(2), 0), (by_noise(NOISE), NOISE**2)],
    ids=["trace", "slices", "noise"],
)
def test_a_gaussian_learns_the_moments_of_the_data(objective, more):
    """Those of maximum likelihood; of blurred data with the variance of the noise on top."""
    alg = jitted(score_matching(Bowl(), optax.adam(optax.cosine_decay_schedule(0.05, 400)), objective=objective))
    state = alg.init(jax.random.key(0), X)
    for step in range(400):
        state, _ = alg.step(jax.random.key(step), state, X)
    atol = 0.12 if more else 0.01
    np.testing.assert_allclose(state.params["mean"], X.mean(0), atol=atol)
    np.testing.assert_allclose(jnp.exp(state.params["log_var"]), X.var(0) + more, rtol=0.12 if more else 0.01)


def test_slices_are_the_trace_in_the_mean():
    model = Bumps()
    params = model.init(jax.random.key(0), X)

    def score(x):
        return -jax.grad(lambda x: model.apply(params, x).sum())(x)

    exact = by_trace(jax.random.key(0), score, X[:20])
    hessian = jax.vmap(jax.hessian(lambda x: model.apply(params, x[None])[0]))(X[:20])
    want = -jnp.trace(hessian, axis1=1, axis2=2) + jnp.square(score(X[:20])).sum(1) / 2
    np.testing.assert_allclose(exact, want, rtol=1e-4, atol=1e-5)
    many = jax.vmap(lambda key: by_slices()(key, score, X[:20]))(jax.random.split(jax.random.key(1), 2000))
    error = many.std(0) / 2000**0.5
    assert (jnp.abs(many.mean(0) - exact) < 5 * error + 1e-5).all() and error.max() > 0
