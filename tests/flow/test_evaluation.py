"""Bits are of the grey levels, and densities are told from the truth by their divergence."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from scipy import stats

from adl.core import Learner, average_params
from adl.flow import evaluation


class Known(nn.Module):
    """A density of one pixel of three levels that knows how likely each is, flat over the width of each."""

    chances: tuple[float, ...]

    def log_prob(self, x):
        level = jnp.floor(3 * x[:, 0]).astype(int)
        return jnp.log(3 * jnp.array(self.chances))[level]


def test_bits_of_a_flow_are_those_of_the_levels():
    """Their entropy, of a density that is right; log2 of their number, of a flat one; padding does not count."""
    levels = np.repeat([0, 1, 2, 0], [2, 1, 1, 3])
    batch = {"x": (levels[:, None] + 0.4) / 3, "mask": jnp.arange(7) < 4}
    for chances, want in (((0.5, 0.25, 0.25), 1.5), ((1 / 3, 1 / 3, 1 / 3), np.log2(3))):
        judge = evaluation.in_bits(Known(chances), lambda key, batch: batch["x"], (1,), num_levels=3)
        found = judge(jax.random.key(0), Learner.create({"params": {}}, average_params(0.5)), batch)
        np.testing.assert_allclose([found["bits"].value, found["bits_uniform"].value], [want, np.log2(3)], rtol=1e-6)
        assert found["levels"].value == 3 and found["nll"].count == 4


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
