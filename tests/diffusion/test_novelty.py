"""The score is the loss of training, level by level: 1 of a network that answers 0, and more of what is far away."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.diffusion.novelty import denoising_novelty
from adl.diffusion.preconditioner import karras

SCALED = karras(0.5)
LEVELS = {"preconditioner": SCALED, "p_mean": -0.6, "p_std": 1.2}


def exact(x, sigma):
    """Of N(0, 0.5^2)."""
    sigma = sigma[:, None]
    return 0.25 / (0.25 + sigma**2) * x


def test_data_score_1_by_their_own_denoiser_and_strangers_more():
    x = 0.5 * np.random.default_rng(0).normal(size=(500, 40)).astype("f")
    score = denoising_novelty(jax.random.key(0), exact, jnp.asarray(x), **LEVELS)
    np.testing.assert_allclose(score.mean(), 1, atol=0.02)  # c_skip x is exact: the network answers 0
    far = denoising_novelty(jax.random.key(0), exact, jnp.asarray(3 * x), **LEVELS)
    assert far.min() > score.max()


def test_each_level_counts_once():
    """(D - x)^2 / c_out^2 of D = x + 1, at the same quantiles of the law."""
    score = denoising_novelty(jax.random.key(0), lambda x, sigma: jnp.ones_like(x), jnp.zeros((2, 3)), **LEVELS, num=4)
    sigmas = np.exp(-0.6 + 1.2 * np.array([-1.1503494, -0.3186394, 0.3186394, 1.1503494]))
    want = np.mean([1 / SCALED(jnp.float32(sigma)).out ** 2 for sigma in sigmas])
    np.testing.assert_allclose(score, want, rtol=1e-4)
