"""Functions that are finite, or have finite gradients, where their parts are not."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.prob.special import safe_log, safe_ratio


def test_logarithm_and_ratio_at_zero():
    x = jnp.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(safe_log(x), [-np.inf, np.log(0.5), np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(safe_log))(x), [0, 2, 0.5], rtol=1e-6)
    np.testing.assert_allclose(safe_ratio(jnp.array([3.0, 3.0, 3.0]), x), [0, 6, 1.5], rtol=1e-6)
    of_a, of_b = jax.vmap(jax.grad(safe_ratio, (0, 1)))(jnp.full(3, 3.0), x)
    np.testing.assert_allclose(of_a, [0, 2, 0.5], rtol=1e-6)
    np.testing.assert_allclose(of_b, [0, -12, -0.75], rtol=1e-6)
