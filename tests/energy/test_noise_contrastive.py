"""A Gaussian is told from a wider one: its moments are found, and the constant that no energy knows."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from adl.core import jitted
from adl.energy.noise_contrastive import Normalised, noise_contrastive
from adl.prob.gaussian import MultivariateNormal

STD = 0.7


class Bowl(nn.Module):
    """E(x) = |x - m|^2 / 2 s^2."""

    @nn.compact
    def __call__(self, x):
        mean = self.param("mean", nn.initializers.zeros, (2,))
        log_std = self.param("log_std", nn.initializers.zeros, ())
        return 0.5 * jnp.square((x - mean[None]) / jnp.exp(log_std)).sum(-1)


def test_finds_the_constant():
    x = np.float32(STD * np.random.default_rng(0).normal(size=(2000, 2)) + 1)
    noise = MultivariateNormal(jnp.zeros(2), 4 * jnp.eye(2))
    alg = jitted(
        noise_contrastive(Normalised(Bowl()), optax.adam(optax.cosine_decay_schedule(0.05, 300)), noise=noise, ratio=3)
    )
    state = alg.init(jax.random.key(0), x)
    for step in range(300):
        state, metrics = alg.step(jax.random.key(step), state, x)
    params, spread = state.params["energy"], x.std(0).mean()
    np.testing.assert_allclose(params["mean"], x.mean(0), atol=0.06)
    np.testing.assert_allclose(jnp.exp(params["log_std"]), spread, rtol=0.06)
    np.testing.assert_allclose(state.params["log_partition"], np.log(2 * np.pi * spread**2), atol=0.12)
    assert 0.7 < metrics["accuracy"].value < 0.95
    np.testing.assert_allclose(metrics["nll"].value, 1 + np.log(2 * np.pi * spread**2), atol=0.1)


def test_of_the_truth_the_loss_is_that_of_the_ratio_of_densities():
    """With noise like the data nothing can be told: log 2 each."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(50, 2)), "f")
    alg = noise_contrastive(Normalised(Bowl()), optax.sgd(0.0), noise=MultivariateNormal(jnp.zeros(2), jnp.eye(2)))
    state = alg.init(jax.random.key(0), x)
    state = state._replace(params={**state.params, "log_partition": jnp.log(2 * jnp.pi)})
    _, metrics = alg.step(jax.random.key(0), state, x)
    np.testing.assert_allclose(metrics["loss"].value, 2 * np.log(2), rtol=1e-5)
