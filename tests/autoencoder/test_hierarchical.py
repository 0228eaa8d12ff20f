"""Two levels of latents: their divergence is the mean log ratio, the ladder weighs by precision, and both learn."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.autoencoder.dreg import dreg
from adl.autoencoder.hierarchical import two_levels
from adl.autoencoder.vae import bernoulli, elbo, iwae, iwae_bound, log_likelihood, vae

KEY = jax.random.key(0)
X = (np.random.default_rng(0).random((6, 12)) > 0.5).astype("f")


def made(inference):
    model = two_levels((3, 2), (8,), 12, inference=inference)
    return model, jax.jit(model.init)(KEY, KEY, X)


@pytest.mark.parametrize("inference", ["ladder", "plain"])
def test_divergence_is_the_mean_log_ratio(inference):
    model, variables = made(inference)

    @jax.jit
    def drawn(variables):
        bound = model.bind(variables)
        q, p = bound.encode(X), bound.prior()
        z, log_q = q.sample_and_log_prob(KEY, (20000,))
        closed = jax.vmap(lambda key: q.kl(p, q.sample(key)))(jax.random.split(KEY, 2000))
        return z, log_q, q.log_prob(z), log_q - p.log_prob(z), closed

    z, log_q, again, ratio, closed = drawn(variables)
    assert z[0].shape == (20000, 6, 3) and z[1].shape == (20000, 6, 2)
    np.testing.assert_allclose(log_q, again, rtol=1e-3, atol=1e-3)
    error = ratio.std(0) / np.sqrt(20000) + closed.std(0) / np.sqrt(2000)
    assert (abs(ratio.mean(0) - closed.mean(0)) < 5 * error + 1e-3).all()


def test_the_ladder_adds_precisions():
    model, variables = made("ladder")
    bound = model.bind(variables)
    high = jax.random.normal(KEY, (4, 6, 2))
    got, expected = bound.encode(X).below(high), bound.prior().below(high)
    plain = model.clone(inference="plain").bind(variables).encode(X).below(high)
    precision = np.exp(-2 * plain.log_std) + np.exp(-2 * expected.log_std)
    mean = (plain.mean * np.exp(-2 * plain.log_std) + expected.mean * np.exp(-2 * expected.log_std)) / precision
    np.testing.assert_allclose(got.mean, mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.exp(-2 * got.log_std), precision, rtol=1e-4)


def test_the_prior_draws_as_many_as_are_asked_for():
    model, variables = made("ladder")
    low, high = model.bind(variables).prior().sample(KEY, (10000, 2))
    assert low.shape == (10000, 3) and high.shape == (10000, 2)
    np.testing.assert_allclose([high.mean(), high.std()], [0, 1], atol=0.05)
    assert model.bind(variables).decode((low[:5], high[:5])).shape == (5, 12)


def test_bounds_rise_with_samples_and_go_in_parts():
    model, variables = made("ladder")

    @jax.jit
    def bounds(variables):
        bound, keys, of = model.bind(variables), jax.random.split(KEY, 200), {"likelihood": bernoulli}
        one = jax.vmap(lambda key: elbo(key, bound, X, **of)["elbo"])(keys).mean(0)
        many = jax.vmap(lambda key: iwae_bound(key, bound, X, **of, num_samples=20))(keys).mean(0)
        return one, many, log_likelihood(KEY, bound, X, **of, num_samples=500, chunk=50)

    one, many, parts = bounds(variables)
    assert (many > one).all()
    assert (parts > one).all() and np.isfinite(parts).all()


FULL = {"marks": pytest.mark.full}


@pytest.mark.parametrize(
    "make, options",
    [
        pytest.param(vae, {}, **FULL),
        pytest.param(iwae, {"num_samples": 3}, **FULL),
        (dreg, {"num_samples": 3}),
    ],
)
def test_learns(make, options):
    model, _ = made("ladder")
    algorithm = make(model, optax.adam(0.03), likelihood=bernoulli, **options)
    start = jax.jit(algorithm.init)(KEY, X)

    def step(state, key):
        return algorithm.step(key, state, X)

    state, metrics = jax.jit(lambda: jax.lax.scan(step, start, jax.random.split(KEY, 60)))()
    losses = metrics["loss"].total / 6
    assert losses[-5:].mean() < losses[:5].mean() - 1
    moved = jax.tree.map(lambda a, b: float(abs(a - b).max()), start.params, state.params)
    assert min(jax.tree.leaves(moved)) > 1e-3  # the way down too
    assert jnp.isfinite(losses).all()
