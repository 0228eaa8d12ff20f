"""Latents and networks written outside: classes, several levels, pictures that stay pictures."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax import lax

from adl.autoencoder.dreg import dreg
from adl.autoencoder.latents import DiagonalNormal, standard
from adl.autoencoder.vae import VAE, Gaussian, bernoulli, elbo, iwae, iwae_bound, vae

KEY = jax.random.key(0)
X = (np.random.default_rng(0).random((6, 4, 4, 1)) > 0.5).astype("f")


@pytest.fixture(autouse=True)
def promoted():
    """What is written outside need not spell each axis out."""
    with jax.numpy_rank_promotion("allow"):
        yield


def rows(x, output):
    return bernoulli(x.reshape(*x.shape[:-3], -1), output)


class OneOfK(NamedTuple):
    """One class of K, as a one-hot row; gradients by the relaxed draw (Jang et al. 2017, arXiv:1611.01144)."""

    logits: jax.Array  # [..., K]

    def sample(self, key, shape=()):
        relaxed = jax.nn.softmax(self.logits + jax.random.gumbel(key, (*shape, *self.logits.shape)))
        return relaxed + lax.stop_gradient(jax.nn.one_hot(relaxed.argmax(-1), self.logits.shape[-1]) - relaxed)

    def log_prob(self, z):
        return (z * jax.nn.log_softmax(self.logits)).sum(-1)

    def sample_and_log_prob(self, key, shape=()):
        z = self.sample(key, shape)
        return z, self.log_prob(z)

    def kl(self, prior, z):
        log_q = jax.nn.log_softmax(self.logits)
        return (jnp.exp(log_q) * (log_q - jax.nn.log_softmax(prior.logits))).sum(-1)


class Classes(nn.Module):
    """q of K classes."""

    num_classes: int

    @nn.compact
    def __call__(self, x):
        return OneOfK(nn.Dense(self.num_classes)(x.reshape(len(x), -1)))


class Levels(NamedTuple):
    """z = (low, high): each level a Gaussian, the low one about an affine image of the high one."""

    high: DiagonalNormal
    gain: jax.Array  # [Z, Z] of the high level in the mean of the low one
    low: DiagonalNormal  # about that

    def below(self, high):
        return DiagonalNormal(self.low.mean + high @ self.gain, self.low.log_std)

    def sample_and_log_prob(self, key, shape=()):
        high_key, low_key = jax.random.split(key)
        high = self.high.mean + jnp.exp(self.high.log_std) * jax.random.normal(
            high_key, (*shape, *self.high.mean.shape)
        )
        below = self.below(high)
        low = below.mean + jnp.exp(below.log_std) * jax.random.normal(low_key, below.mean.shape)
        return (low, high), self.log_prob((low, high))

    def sample(self, key, shape=()):
        return self.sample_and_log_prob(key, shape)[0]

    def log_prob(self, z):
        return self.high.log_prob(z[1]) + self.below(z[1]).log_prob(z[0])

    def kl(self, prior, z):
        return self.high.kl(prior.high) + self.below(z[1]).kl(prior.below(z[1]))


class Ladder(nn.Module):
    """q of two levels, or with no picture the prior of two levels, its gain learned."""

    dim: int

    @nn.compact
    def __call__(self, x=None):
        gain = self.param("gain", nn.initializers.normal(1.0), (self.dim, self.dim))
        if x is None:
            zeros = jnp.zeros(self.dim)
            return Levels(DiagonalNormal(zeros, zeros), gain, DiagonalNormal(zeros, zeros))
        parts = jnp.split(nn.Dense(4 * self.dim)(x.reshape(len(x), -1)), 4, -1)
        return Levels(DiagonalNormal(*parts[:2]), gain, DiagonalNormal(*parts[2:]))


class Both(nn.Module):
    """A decoder of both levels."""

    @nn.compact
    def __call__(self, z):
        return nn.Dense(16)(jnp.concatenate(z, -1))


def uniform():
    return OneOfK(jnp.zeros(3))


def convolutional():
    down = nn.Sequential([nn.Conv(4, (3, 3), 2), nn.relu, lambda h: h.reshape(len(h), -1), nn.Dense(4)])
    up = [nn.Dense(16), lambda h: h.reshape(-1, 2, 2, 4), nn.ConvTranspose(1, (3, 3), (2, 2))]
    return VAE(Gaussian(down), nn.Sequential([*up, lambda h: h.reshape(len(h), -1)]))


MODELS = {
    "classes": VAE(Classes(3), nn.Dense(16), uniform),
    "levels": VAE(Ladder(2), Both(), Ladder(2)),
    "convolutional": convolutional(),
}


@pytest.mark.parametrize("make, options", [(vae, {}), (iwae, {"num_samples": 3}), (dreg, {"num_samples": 3})])
@pytest.mark.parametrize("name", MODELS)
def test_learns(name, make, options):
    alg = make(MODELS[name], optax.adam(0.1), likelihood=rows, **options)
    start = state = jax.jit(alg.init)(KEY, X)
    step, losses = jax.jit(alg.step), []
    for i in range(40):
        state, metrics = step(jax.random.fold_in(KEY, i), state, X)
        losses.append(float(metrics["loss"].value))
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 1
    moved = jax.tree.map(lambda a, b: float(abs(a - b).max()), start.params, state.params)
    assert min(jax.tree.leaves(moved)) > 1e-3  # the prior's too


def test_bounds_of_classes_meet_the_sum_over_them():
    model = MODELS["classes"]
    variables = model.init(KEY, KEY, X)
    bound = model.bind(variables)
    given = rows(X[None], bound.decode(jnp.broadcast_to(jnp.eye(3)[:, None], (3, 6, 3)), 2))
    exact = jax.nn.logsumexp(given, 0) - np.log(3)
    many = jax.jit(lambda: iwae_bound(KEY, model.bind(variables), X, likelihood=rows, num_samples=40000))
    np.testing.assert_allclose(many(), exact, atol=0.03)
    one = jax.jit(jax.vmap(lambda key: elbo(key, model.bind(variables), X, likelihood=rows)["elbo"]))
    parts = one(jax.random.split(KEY, 500))
    assert (parts.mean(0) < exact).all()


def test_levels_that_are_the_prior_cost_nothing():
    """Where q is p, and only there, the bound is what the decoder says."""
    prior = Ladder(2).apply(Ladder(2).init(KEY))
    q = jax.tree.map(lambda leaf: leaf if leaf.ndim == 2 else jnp.tile(leaf, (6, 1)), prior)
    z, log_q = q.sample_and_log_prob(KEY, (5,))
    np.testing.assert_allclose(log_q, prior.log_prob(z), rtol=1e-5)
    np.testing.assert_allclose(q.kl(prior, q.sample(KEY)), 0, atol=1e-6)
    other = q._replace(low=DiagonalNormal(q.low.mean + 1, q.low.log_std))
    np.testing.assert_allclose(other.kl(prior, q.sample(KEY)), 1.0, rtol=1e-5)  # Z / 2


def test_gaussians_divergence_is_the_mean_log_ratio():
    q = DiagonalNormal(jnp.array([[0.5, -1.0]]), jnp.array([[0.2, -0.4]]))
    p = DiagonalNormal(jnp.array([[0.0, 0.3]]), jnp.array([[0.5, 0.1]]))
    z, log_q = q.sample_and_log_prob(KEY, (20000,))
    ratio = log_q - p.log_prob(z)
    np.testing.assert_allclose(log_q, q.log_prob(z), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ratio.mean(0), q.kl(p), atol=5 * float(ratio.std()) / np.sqrt(20000))
    np.testing.assert_allclose(q.kl(standard()), q.kl(DiagonalNormal(jnp.zeros((1, 2)), jnp.zeros((1, 2)))))
