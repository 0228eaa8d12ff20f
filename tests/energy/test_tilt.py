"""Tilted Gaussians: with an affine tilt a Gaussian again, and over classes the sum of their densities."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from adl.energy.tilt import Tilted
from adl.nn.mlp import MLP

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (20, 3))


def test_an_affine_tilt_moves_the_gaussian():
    """exp(w'x) N(x; 0, s^2 I) is N(s^2 w, s^2 I), up to a constant."""
    model = Tilted(MLP((1,)), 1.5)
    variables = model.init(KEY, X)
    weights = jax.tree.leaves(variables)[1][:, 0]
    want = -stats.multivariate_normal(1.5**2 * np.asarray(weights), 1.5**2).logpdf(X)
    difference = model.apply(variables, X) - want
    np.testing.assert_allclose(difference, np.full(20, difference[0]), atol=1e-4)


def test_without_a_label_classes_add_up():
    model = Tilted(MLP((8, 4)), 2.0)
    variables, apply = jax.jit(model.init)(KEY, X), jax.jit(model.apply)
    each = jnp.stack([apply(variables, X, jnp.full(20, label)) for label in range(4)])
    np.testing.assert_allclose(jnp.exp(-apply(variables, X)), jnp.exp(-each).sum(0), rtol=1e-5)
    mixed = jnp.arange(20) % 4
    np.testing.assert_allclose(apply(variables, X, mixed), each[mixed, jnp.arange(20)], rtol=1e-6)
