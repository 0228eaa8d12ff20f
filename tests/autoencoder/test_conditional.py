"""A conditional VAE's bounds are those on log p(x|c), and a code of the rest need not say the condition again."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from adl.autoencoder.conditional import ConditionalVAE, OfCondition, conditional_perceptrons, conditional_vae, of_class
from adl.autoencoder.dreg import dreg_bound
from adl.autoencoder.latents import DiagonalNormal
from adl.autoencoder.vae import bernoulli, elbo, gaussian, iwae_bound
from adl.core import BadInput

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 3)).astype("f")
C = np.eye(2, dtype="f")[RNG.integers(0, 2, 5)]
MODEL = conditional_perceptrons(1, (), 6)


def exact_parameters():
    """x = w z + offset[c] + noise: the posterior is affine in x and c."""
    std, w, offset = 0.5, np.array([[1.0, -0.5, 2.0]]), np.array([[0.0, 1.0, -1.0], [2.0, 0.5, 1.0]])
    variance = 1 / (1 + (w**2).sum() / std**2)
    gain = w.T * variance / std**2
    encoder = {
        "kernel": np.hstack([np.vstack([gain, -offset @ gain]), np.zeros((5, 1))]),
        "bias": [0, np.log(variance) / 2],
    }
    decoder = {
        "kernel": np.hstack([np.vstack([w, offset]), np.zeros((3, 3))]),
        "bias": np.r_[np.zeros(3), np.full(3, np.log(std))],
    }
    made = {"encoder": {"Dense_0": encoder}, "decoder": {"Dense_0": decoder}}
    covariance = w.T @ w + std**2 * np.eye(3)
    away = X - C @ offset
    square = (away * np.linalg.solve(covariance, away.T).T).sum(1)
    log_prob = -0.5 * (square + np.linalg.slogdet(2 * np.pi * covariance)[1])
    leaves = jax.tree.map(lambda leaf: jnp.asarray(leaf, "float32"), made, is_leaf=lambda x: isinstance(x, list))
    return {"params": leaves}, log_prob


def test_every_bound_is_the_conditional_likelihood_where_the_posterior_is_exact():
    variables, want = exact_parameters()
    assert jax.tree.structure(variables) == jax.tree.structure(MODEL.init(KEY, KEY, (X, C)))

    @jax.jit
    def bounds(condition):
        given, of = OfCondition(MODEL.bind(variables), condition), {"likelihood": gaussian}
        draws = jax.vmap(lambda key: elbo(key, given, X, **of)["elbo"])(jax.random.split(KEY, 2000))
        return [bound(KEY, given, X, **of, num_samples=5) for bound in (iwae_bound, dreg_bound)], draws

    several, draws = bounds(C)
    for bound in several:
        np.testing.assert_allclose(bound, want, rtol=1e-3)
    assert (abs(draws.mean(0) - want) < 5 * draws.std(0) / np.sqrt(2000) + 1e-3).all()
    wrong, _ = bounds(1 - C)
    assert (abs(wrong[0] - want) > 1).all()  # it is asked


def test_what_the_class_says_the_code_does_not():
    """Pictures that their class decides: nothing is left for the latent."""
    label = np.arange(40) % 4
    x = (RNG.random((4, 12)) > 0.5).astype("f")[label]
    pair = x, np.eye(4, dtype="f")[label]
    algorithm = conditional_vae(conditional_perceptrons(2, (16,), 12), optax.adam(0.02), likelihood=bernoulli)

    def step(state, key):
        return algorithm.step(key, state, pair)

    _, metrics = jax.jit(lambda: jax.lax.scan(step, algorithm.init(KEY, pair), jax.random.split(KEY, 500)))()
    assert metrics["loss"].total[-1] / 40 < 0.3 and metrics["kl"].total[-1] / 40 < 0.1


def test_a_prior_of_the_condition_is_learned_and_labels_must_be_rows():
    class Own(nn.Module):
        """A Gaussian about an affine image of the condition."""

        @nn.compact
        def __call__(self, c):
            mean = nn.Dense(1)(c)
            return DiagonalNormal(mean, jnp.zeros_like(mean))

    model = ConditionalVAE(MODEL.encoder, MODEL.decoder, Own())
    algorithm = conditional_vae(model, optax.sgd(0.1), likelihood=gaussian)
    state = jax.jit(algorithm.init)(KEY, (X, C))
    moved, _ = jax.jit(algorithm.step)(KEY, state, (X, C))
    assert abs(moved.params["prior"]["Dense_0"]["kernel"] - state.params["prior"]["Dense_0"]["kernel"]).max() > 1e-4
    with pytest.raises(AssertionError):
        algorithm.init(KEY, (X, C.argmax(1)))
    with pytest.raises(BadInput, match="as many rows"):
        algorithm.init(KEY, (X, C[:3]))
    np.testing.assert_array_equal(of_class(jnp.array([1, 0]), 3), [[0, 1, 0], [1, 0, 0]])
    with pytest.raises(BadInput, match=r"label is float32 \[5\], where int \[B\] is wanted"):
        of_class(jnp.zeros(5), 3)
