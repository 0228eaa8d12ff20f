"""Of the exact denoiser of a Gaussian holes are filled as the closed form fills them; learning nears it."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from adl.core import jitted
from adl.core.optimizer import adam
from adl.diffusion import missing
from adl.diffusion.preconditioner import karras

SCALE, CORRELATION = 1.0, 0.8
RNG = np.random.default_rng(0)
X = RNG.multivariate_normal([0, 0], [[1, CORRELATION], [CORRELATION, 1]], size=400).astype("f")
SEEN = np.stack([np.ones(400), np.arange(400) % 2], 1).astype("f")


class Exact(nn.Module):
    """F of the denoiser E[x | x + sigma n, what is known] of that Gaussian."""

    @nn.compact
    def __call__(self, x, time, told):
        sigma = jnp.exp(4 * time)[:, None]
        noisy = x * jnp.sqrt(sigma**2 + SCALE**2)
        mean, variance = CORRELATION * told.known[:, ::-1], 1 - CORRELATION**2 * told.is_known[:, ::-1]
        clean = mean + variance / (variance + sigma**2) * (noisy - mean)
        c = karras(SCALE)(sigma)
        return (clean - c.skip * noisy) / c.out


def drawn(model, variables, num):
    rows = np.where(SEEN > 0, X, np.nan)[:20].astype("f")
    fill = jax.jit(
        lambda key: missing.drawn_in_holes(key, model, variables, rows, SEEN[:20], scale=SCALE, num_samples=num)
    )
    return np.asarray(fill(jax.random.key(0)))


def test_the_exact_denoiser_draws_what_is_hidden_given_what_is_seen():
    rows = drawn(Exact(), {}, 400)
    hidden = rows[:, ::2, 1]
    np.testing.assert_allclose(hidden.mean(0), CORRELATION * X[:20:2, 0], atol=0.12)
    np.testing.assert_allclose(hidden.std(0), np.sqrt(1 - CORRELATION**2), atol=0.1)
    np.testing.assert_array_equal(rows[:, :, 0], np.broadcast_to(X[:20, 0], (400, 20)))
    np.testing.assert_array_equal(rows[0, 1::2], X[1:20:2])


def test_what_is_hidden_is_not_looked_at_and_learning_fills_holes():
    model = missing.HoledMLP((32,))
    alg = jitted(missing.denoising_holes(model, adam(1e-2, average=0.9), scale=SCALE))
    both = [{"x": np.where(SEEN > 0, X, value).astype("f"), "seen": SEEN} for value in (np.nan, 5.0)]
    state, other = (alg.step(jax.random.key(0), alg.init(jax.random.key(0), rows), rows)[0] for rows in both)
    jax.tree.map(np.testing.assert_array_equal, state.params, other.params)
    for i in range(300):
        state, told = alg.step(jax.random.key(i), state, both[0])
        assert float(told["loss"].count) <= len(X)
    error = np.square(drawn(model, state.averaged, 100).mean(0) - X[:20])[::2, 1].mean()
    exact = np.square(CORRELATION * X[:20:2, 0] - X[:20:2, 1]).mean()
    assert error < exact + 0.15 < np.square(X[:20:2, 1]).mean()
