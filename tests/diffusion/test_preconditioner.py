"""What the coefficients of Karras et al. (2022) were derived from, appendix B.6."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.diffusion import preconditioner

S = 0.7
SIGMA = jnp.asarray([0.01, 0.3, 1.0, 20.0])


def test_input_and_target_have_unit_variance():
    """var(c_in (y + n)) = 1 and var((y - c_skip (y + n)) / c_out) = 1, for var(y) = S^2 and var(n) = sigma^2."""
    c = preconditioner.karras(S)(SIGMA)
    np.testing.assert_allclose(c.scale**2 * (S**2 + SIGMA**2), 1, rtol=1e-5)
    np.testing.assert_allclose(((1 - c.skip) ** 2 * S**2 + (c.skip * SIGMA) ** 2) / c.out**2, 1, rtol=1e-4)
    np.testing.assert_allclose(c.noise, np.log(SIGMA) / 4, rtol=1e-6)


def test_skip_lets_through_least_of_the_error():
    """c_skip minimises c_out, where c_out is what unit variance of the target demands."""

    def out(skip, sigma):
        return jnp.sqrt((1 - skip) ** 2 * S**2 + (skip * sigma) ** 2)

    c = preconditioner.karras(S)(SIGMA)
    np.testing.assert_allclose(c.out, out(c.skip, SIGMA), rtol=1e-4)
    np.testing.assert_allclose(jax.vmap(jax.grad(out))(c.skip, SIGMA), 0, atol=1e-4)


def test_limits():
    """Without noise the picture passes; in pure noise the network alone answers."""
    c = preconditioner.karras(S)(jnp.asarray([1e-4, 1e4]))
    np.testing.assert_allclose(c.skip, [1, 0], atol=1e-6)
    np.testing.assert_allclose(c.out, [0, S], atol=1e-3)


def test_variance_exploding_predicts_the_noise():
    """A network that answers -n makes the denoiser exact."""
    c = preconditioner.variance_exploding(SIGMA)
    clean, noise = jnp.float32(0.4), jnp.float32(-1.3)
    np.testing.assert_allclose(c.skip * (clean + SIGMA * noise) + c.out * -noise, clean, rtol=1e-4)
    np.testing.assert_allclose(c.noise, np.log(SIGMA / 2), rtol=1e-6)
