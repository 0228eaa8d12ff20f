"""Of a decoder that is a Gaussian's factors what is filled and how likely it is are the closed form's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from adl.autoencoder import missing
from adl.autoencoder.vae import VAE, Gaussian
from adl.core import jitted
from adl.core.optimizer import adam
from adl.prob.gaussian import MultivariateNormal

RNG = np.random.default_rng(0)
DIM, RIDGE, LOG_STD = 4, 0.05, -0.5
FACTORS, MEAN = RNG.normal(size=(2, DIM)).astype("f"), RNG.normal(size=DIM).astype("f")
COVARIANCE = FACTORS.T @ FACTORS + (np.exp(2 * LOG_STD) + RIDGE) * np.eye(DIM)
X = RNG.multivariate_normal(MEAN, COVARIANCE, size=300).astype("f")
SEEN = (RNG.random(X.shape) < 0.6).astype("f")
HOLED = np.where(SEEN > 0, X, np.nan).astype("f")


class Factors(nn.Module):
    """x = W z + b, and the deviation of its noise."""

    @nn.compact
    def __call__(self, z):
        return jnp.concatenate([z @ FACTORS + MEAN[None], jnp.full((len(z), DIM), LOG_STD)], -1)


class Prior(nn.Module):
    """What is known of a latent before anything is seen."""

    @nn.compact
    def __call__(self, rows):
        return jnp.zeros((len(rows), 4))


def test_a_linear_gaussian_is_filled_as_the_closed_form_fills_it():
    model = VAE(Gaussian(Prior()), Factors())
    bound, normal = model.bind({}), MultivariateNormal(jnp.asarray(MEAN), jnp.asarray(COVARIANCE, jnp.float32))
    of = {"num_samples": 20000, "ridge": RIDGE}
    filled = jax.jit(lambda key: missing.imputed(key, bound, HOLED[:8], SEEN[:8], **of))(jax.random.key(0))
    likely = jax.jit(lambda key: missing.held_log_prob(key, bound, X[:8], SEEN[:8], **of))(jax.random.key(0))
    for x, seen, row, nats in zip(X, SEEN, filled, likely, strict=False):
        kept = np.flatnonzero(seen)
        if len(kept) in (0, DIM):
            continue
        rest = normal.conditional(kept, x[kept])
        np.testing.assert_array_equal(row[kept], x[kept])
        np.testing.assert_allclose(np.delete(row, kept), rest.mean(), atol=0.08)
        np.testing.assert_allclose(nats, rest.log_prob(np.delete(x, kept)), atol=0.08)


def test_what_is_hidden_is_not_looked_at_and_learning_nears_the_likelihood_of_what_is_seen():
    model = missing.holed_perceptrons(2, (16,), DIM)
    alg = jitted(missing.miwae(model, adam(1e-2), num_samples=5, ridge=RIDGE))
    state = other = alg.init(jax.random.key(0), {"x": HOLED, "seen": SEEN})
    losses = []
    for i in range(150):
        state, told = alg.step(jax.random.key(i), state, {"x": HOLED, "seen": SEEN})
        losses.append(float(told["loss"].value))
        if not i:
            other, _ = alg.step(
                jax.random.key(i), alg.init(jax.random.key(0), {"x": X, "seen": SEEN}), {"x": X, "seen": SEEN}
            )
            jax.tree.map(np.testing.assert_array_equal, other.params, state.params)
    normal = MultivariateNormal(jnp.asarray(MEAN), jnp.asarray(COVARIANCE, jnp.float32))
    each = [
        normal.marginal(np.flatnonzero(s)).log_prob(x[s > 0]) for x, s in zip(X[:100], SEEN, strict=False) if s.any()
    ]
    truth = -np.sum(each) / 100
    assert losses[0] > truth + 0.5 and np.mean(losses[-10:]) == pytest.approx(truth, abs=0.35)


def test_no_number_is_foretold_better_than_the_ridge():
    """However small a deviation the decoder says."""
    most = missing.each_normal(jnp.zeros(1), jnp.array([0.0, -30.0]), ridge=0.01)
    np.testing.assert_allclose(most, -0.5 * np.log(2 * np.pi * 0.01), rtol=1e-5)
