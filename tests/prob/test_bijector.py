"""Bijectors: log-determinants are autodiff's, inverses invert, and what is transformed is SciPy's or integrates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.prob.bijector import (
    Affine,
    Composed,
    Exp,
    Inverse,
    Permute,
    Sigmoid,
    Softplus,
    Tanh,
    Transformed,
    Triangular,
)
from adl.prob.continuous import Normal
from adl.prob.gaussian import MultivariateNormal

LOWER = jnp.array([[1.5, 7.0, 7.0], [0.3, 0.4, 7.0], [-1.0, 2.0, 1.0]])
AFFINE = Affine(jnp.array([1.0, 0.0, -2.0]), jnp.array([0.5, -1.0, 0.0]))
BIJECTORS = {
    "affine": AFFINE,
    "affine, one scale": Affine(jnp.float32(1.0), jnp.float32(0.3)),
    "triangular": Triangular(LOWER),
    "permute": Permute(jnp.array([2, 0, 1])),
    "exp": Exp(),
    "softplus": Softplus(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "chain": Composed((AFFINE, Triangular(LOWER), Permute(jnp.array([1, 2, 0])), Tanh(), Inverse(Affine(0.3, 1.0)))),
    "inverse of a chain": Inverse(Composed((Inverse(AFFINE), Sigmoid(), Inverse(Sigmoid()), Triangular(LOWER)))),
}
X = jnp.array([0.3, -0.2, 0.7])


@pytest.mark.parametrize("name", BIJECTORS)
def test_log_det_is_autodiffs_and_the_inverse_inverts(name):
    bijector = BIJECTORS[name]
    y, log_det = jax.jit(lambda b, x: b.forward_and_log_det(x))(bijector, X)
    jacobian = jax.jacobian(lambda x: bijector.forward_and_log_det(x)[0])(X)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(np.asarray(jacobian, float))[1], rtol=1e-4, atol=1e-5)
    back, inverse_log_det = bijector.inverse_and_log_det(y)
    np.testing.assert_allclose(back, X, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(inverse_log_det, -log_det, rtol=1e-4, atol=1e-5)
    rows = jax.vmap(bijector.forward_and_log_det)(jnp.stack([X, 2 * X]))
    np.testing.assert_allclose(rows[0][0], y, rtol=1e-5)
    assert rows[1].shape == (2,)


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "tanh"])
def test_log_det_is_finite_where_the_map_is_flat(name):
    for x in (-80.0, 80.0):
        _, log_det = BIJECTORS[name].forward_and_log_det(jnp.float32(x))
        assert np.isfinite(log_det)
        assert np.isfinite(jax.grad(lambda x: BIJECTORS[name].forward_and_log_det(x)[1])(jnp.float32(x)))
    np.testing.assert_allclose(Softplus().inverse_and_log_det(jnp.float32(80.0))[0], 80, rtol=1e-6)


def test_log_normal_is_scipys():
    ours = Transformed(Normal(jnp.float32(0.3), jnp.float32(0.5)), Exp())
    x = np.array([0.1, 1.0, 4.0])
    theirs = stats.lognorm(0.5, scale=np.exp(0.3))
    np.testing.assert_allclose(jax.vmap(ours.log_prob)(jnp.asarray(x, "f")), theirs.logpdf(x), rtol=1e-5)
    assert stats.kstest(np.asarray(ours.sample(jax.random.key(0), (20, 100))).ravel(), theirs.cdf).pvalue > 1e-3


def test_triangular_of_standard_normals_is_the_gaussian():
    base = Normal(jnp.float32(0), jnp.float32(1))
    ours = Transformed(base, Composed((Triangular(LOWER), Affine(X, jnp.float32(0)))))
    root = jnp.tril(LOWER)
    want = MultivariateNormal(X, root @ root.T)
    y = jnp.array([1.0, -1.0, 0.5])
    np.testing.assert_allclose(ours.log_prob(y), want.log_prob(y), rtol=1e-4)
    draws = np.asarray(ours.sample(jax.random.key(1), (4000,), example=(3,)))
    np.testing.assert_allclose(np.cov(draws.T), want.covariance, rtol=0.1, atol=0.1)
