"""Bits are of the grey levels, and densities are told from the truth by their divergence."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from adl.flow import evaluation
from adl.flow.likelihood import bits_per_dim


def test_a_uniform_density_costs_the_bits_of_the_levels():
    np.testing.assert_allclose(bits_per_dim(jnp.zeros(3), (8, 8, 1), num_levels=17), np.log2(17), rtol=1e-6)
    # The same of levels that were spread to [-1, 1), whose uniform density is 2^-D.
    nll = jnp.array(64 * np.log(2))
    np.testing.assert_allclose(bits_per_dim(nll, (8, 8, 1), num_levels=17, width=2.0), np.log2(17), rtol=1e-6)


def test_bits_of_levels_bound_their_entropy():
    """A density that is flat over each level, and knows how likely each is, has the entropy of the levels."""
    p = np.array([0.5, 0.25, 0.25])
    nll = -(p * np.log(3 * p)).sum()  # a level is as wide as a third
    np.testing.assert_allclose(bits_per_dim(nll, (1,), num_levels=3), 1.5, rtol=1e-6)


def test_a_density_is_judged_by_its_own_word():
    x = jax.random.normal(jax.random.key(0), (4000, 2))
    log_true = jnp.asarray(stats.norm.logpdf(x).sum(-1), jnp.float32)

    def wide(state, x):
        return jnp.asarray(-0.5 * (x / state) ** 2 - jnp.log(state) - 0.5 * jnp.log(2 * jnp.pi)).sum(-1)

    found = evaluation.against_truth(wide, x, log_true, limit=6.0)(None, jnp.float32(1.5))
    want = 2 * (np.log(1.5) + 0.5 / 1.5**2 - 0.5)  # KL of the one normal from the other
    np.testing.assert_allclose(found["kl"].value, want, atol=0.02)
    np.testing.assert_allclose(found["nll"].value - found["entropy"].value, found["kl"].value, rtol=1e-3)
    np.testing.assert_allclose(found["mass"].value, 1, atol=1e-3)
    half = evaluation.against_truth(lambda *of: wide(*of) - jnp.log(2.0), x, log_true, limit=6.0)
    np.testing.assert_allclose(half(None, jnp.float32(1.5))["mass"].value, 0.5, atol=1e-3)
