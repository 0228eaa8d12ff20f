"""Codes are the nearest of the book, the gradient passes them, averages follow what chooses them; a prior counts."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from sklearn.cluster import KMeans

from adl.autoencoder import quantised as vq
from adl.autoencoder.vae import gaussian
from adl.nn.transformer import GPT

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 5, 2)).astype("f")
CODES = RNG.normal(size=(4, 2)).astype("f")


def test_each_vector_has_the_nearest_code_and_its_gradient():
    index = vq.nearest_codes(jnp.asarray(X.reshape(-1, 2)), jnp.asarray(CODES))
    want = ((X.reshape(-1, 1, 2) - CODES[None]) ** 2).sum(-1).argmin(1)
    np.testing.assert_array_equal(index, want)
    found = vq.passed_through(jnp.asarray(X), jnp.asarray(CODES), index)
    np.testing.assert_allclose(found.vector, CODES[want].reshape(X.shape), rtol=1e-5, atol=1e-6)
    away = ((X - CODES[want].reshape(X.shape)) ** 2).sum((1, 2))
    np.testing.assert_allclose(found.commitment, away, rtol=1e-5)
    slope = RNG.normal(size=X.shape).astype("f")
    through = jax.grad(lambda x: (vq.passed_through(x, jnp.asarray(CODES), index).vector * slope).sum())(jnp.asarray(X))
    np.testing.assert_allclose(through, slope, rtol=1e-6)
    of_codes = jax.grad(lambda c: vq.passed_through(jnp.asarray(X), c, index).vector.sum())(jnp.asarray(CODES))
    np.testing.assert_array_equal(of_codes, 0)  # the decoder moves no code
    pulled = jax.grad(lambda c: vq.passed_through(jnp.asarray(X), c, index).pull.sum())(jnp.asarray(CODES))
    rows = X.reshape(-1, 2)
    by_hand = np.stack([2 * (CODES[k] - rows[want == k]).sum(0) for k in range(4)])
    np.testing.assert_allclose(pulled, by_hand, rtol=1e-4, atol=1e-5)
    held = jax.grad(lambda c: vq.passed_through(jnp.asarray(X), c, index).commitment.sum())(jnp.asarray(CODES))
    np.testing.assert_array_equal(held, 0)


def test_averages_become_the_means_of_what_chooses_them():
    """On vectors that stay the same the averages are Lloyd's k-means: scikit-learn finds nothing better."""
    rows = np.concatenate([RNG.normal(size=(50, 2)) * 0.1 + place for place in ((0, 0), (3, 0), (0, 3))]).astype("f")
    book = vq.Codebook(3, decay=0.9)
    variables = {vq.COLLECTION: {"share": jnp.full(3, 1 / 3), "total": jnp.asarray(rows[[0, 60, 120]]) / 3}}
    moved = jax.jit(lambda variables, rows: book.apply(variables, rows, mutable=[vq.COLLECTION]))
    for _ in range(100):
        found, variables = moved(variables, rows)
    codes = variables[vq.COLLECTION]["total"] / variables[vq.COLLECTION]["share"][:, None]
    np.testing.assert_allclose(codes, KMeans(3, init=np.asarray(codes), n_init=1).fit(rows).cluster_centers_, atol=1e-3)
    np.testing.assert_allclose(variables[vq.COLLECTION]["share"], 1 / 3, rtol=1e-3)
    np.testing.assert_array_equal(found.pull, 0)
    still = book.apply(variables, rows)  # to look moves nothing
    np.testing.assert_array_equal(still.index, found.index)


def test_a_code_that_nothing_chooses_stays_where_it_is():
    book, rows = vq.Codebook(2, decay=0.5), np.zeros((10, 2), "f")
    variables = {vq.COLLECTION: {"share": jnp.full(2, 0.5), "total": jnp.array([[0.0, 0.0], [5.0, 5.0]])}}
    moved = jax.jit(lambda variables, rows: book.apply(variables, rows, mutable=[vq.COLLECTION]))
    for _ in range(200):
        _, variables = moved(variables, rows)
    share, total = (variables[vq.COLLECTION][name] for name in ("share", "total"))
    np.testing.assert_allclose(total[1] / share[1], 10, rtol=1e-3)
    _, variables = moved(variables, np.full((10, 2), 9.0, "f"))
    share, total = (variables[vq.COLLECTION][name] for name in ("share", "total"))
    np.testing.assert_allclose(total[1] / share[1], 9, atol=0.01)  # and is found again


def test_perplexity_counts_the_codes_in_use():
    np.testing.assert_allclose(vq.perplexity(jnp.zeros((4, 4), jnp.int32), 8), 1, rtol=1e-6)
    np.testing.assert_allclose(vq.perplexity(jnp.arange(8).reshape(2, 4), 8), 8, rtol=1e-5)
    np.testing.assert_allclose(vq.perplexity(jnp.array([0, 0, 1, 1]), 8), 2, rtol=1e-5)


def test_places_alone_have_the_entropy_of_their_shares():
    index = jnp.asarray(np.stack([np.arange(4000) % 4, np.arange(4000) % 2, np.zeros(4000)], 1).astype("int32"))
    np.testing.assert_allclose(vq.independent_nll(index, index, 8), np.log(4) + np.log(2), atol=0.02)
    never = vq.independent_nll(index, jnp.full((1, 3), 7), 8)
    np.testing.assert_allclose(never, 3 * np.log(4008), rtol=1e-5)  # finite, of what was never seen


def prior(length, num_codes):
    return GPT(vocab_size=num_codes + 1, max_length=length, num_layers=1, num_heads=2, width=8)


def test_the_prior_sums_to_one_and_draws_what_it_says():
    model = prior(2, 3)
    variables = jax.jit(model.init)(KEY, jnp.zeros((1, 2), jnp.int32))
    variables = jax.tree.map(lambda leaf: 8 * leaf, variables)
    every = jnp.asarray(list(itertools.product(range(3), repeat=2)))
    p = jnp.exp(vq.codes_log_prob(jax.jit(model.apply)(variables, vq.preceding(every, 3))[..., :3], every))
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-5)
    drawn = jax.jit(lambda: vq.draw_codes(KEY, model, variables, num=20000, length=2, num_codes=3))()
    share = np.bincount(np.asarray(drawn[:, 0] * 3 + drawn[:, 1]), minlength=9) / 20000
    np.testing.assert_allclose(share, p, atol=0.02)
    assert abs(np.asarray(p) - 1 / 9).max() > 0.05


@pytest.mark.parametrize("book", [vq.Codebook(8), pytest.param(vq.LearnedCodebook(8), marks=pytest.mark.full)])
def test_learns_and_the_prior_too(book):
    class Grid(nn.Module):
        """Two places of two numbers."""

        @nn.compact
        def __call__(self, x):
            return nn.Dense(4)(x).reshape(len(x), 2, 2)

    class Back(nn.Module):
        """And from there."""

        @nn.compact
        def __call__(self, z):
            return nn.Dense(12)(nn.relu(nn.Dense(16)(z.reshape(len(z), -1))))

    x = RNG.normal(size=(4, 6)).astype("f")[np.arange(32) % 4]
    algorithm = vq.vq_vae(
        vq.VQVAE(Grid(), book, Back()), optax.adam(0.02), prior=prior(2, 8), num_codes=8, likelihood=gaussian
    )

    def step(state, key):
        return algorithm.step(key, state, x)

    start = jax.jit(algorithm.init)(KEY, x)
    state, metrics = jax.jit(lambda: jax.lax.scan(step, start, jax.random.split(KEY, 300)))()
    seen = {name: mean.total / mean.count for name, mean in metrics.items()}
    assert seen["elbo"][-1] > seen["elbo"][0] + 4
    assert seen["code_nll"][-1] < seen["code_nll"][0] - 1
    assert seen["code_nll"][-1] > np.log(3.9) - 0.7  # of four pictures, up to what is not told apart
    np.testing.assert_allclose(seen["elbo"], seen["reconstruction"] - seen["code_nll"], rtol=1e-3, atol=1e-3)
    moved = jax.tree.map(lambda a, b: float(abs(a - b).max()), start.autoencoder, state.autoencoder)
    assert min(jax.tree.leaves(moved.params["encoder"])) > 1e-3
