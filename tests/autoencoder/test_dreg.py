"""The doubly reparameterised gradient against the ordinary one: same bound, same expectation, less noise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.autoencoder.dreg import dreg, dreg_bound
from adl.autoencoder.vae import bernoulli, gaussian, iwae, iwae_bound, perceptrons

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), "float32")
BINARY = (X > 0).astype("float32")
MODEL = perceptrons(2, (6,), 4)
VARIABLES = MODEL.init(KEY, KEY, X)


def gradients(bound, model, variables, x, likelihood, *, num_samples: int, num_keys: int):
    """Gradients `[num_keys, ...]` of the summed bound."""

    def total(variables, key):
        return bound(key, model.bind(variables), x, likelihood=likelihood, num_samples=num_samples).sum()

    return jax.jit(jax.vmap(jax.grad(total), (None, 0)))(variables, jax.random.split(KEY, num_keys))["params"]


def test_the_bound_is_that_of_the_iwae():
    got, want = (
        bound(KEY, MODEL.bind(VARIABLES), BINARY, likelihood=bernoulli, num_samples=5)
        for bound in (dreg_bound, iwae_bound)
    )
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_decoders_gradients_agree():
    """Sample by sample, where all samples are used."""
    doubly, plain = (
        gradients(bound, MODEL, VARIABLES, BINARY, bernoulli, num_samples=4, num_keys=100)["decoder"]
        for bound in (dreg_bound, iwae_bound)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), doubly, plain)


@pytest.mark.parametrize("num_backward", [0, 1, 3])
def test_gradients_agree_in_expectation(num_backward):
    few = functools.partial(dreg_bound, num_backward=num_backward)
    doubly, plain = (
        gradients(bound, MODEL, VARIABLES, BINARY, bernoulli, num_samples=4, num_keys=20000)
        for bound in (few, iwae_bound)
    )
    size = 0.0
    for a, b in zip(jax.tree.leaves(doubly), jax.tree.leaves(plain), strict=True):
        error = jnp.std(a - b, 0) / np.sqrt(len(a))
        assert (abs((a - b).mean(0)) <= 5 * error + 1e-6).all()
        size = max(size, float((abs(a.mean(0)) / (error + 1e-6)).max()))
    assert size > 20  # the test would see a wrong factor


def test_no_noise_reaches_an_exact_encoder():
    """One latent, x = z w + noise: the posterior is Gaussian, every weight is p(x), and nothing is left to learn."""
    model, std = perceptrons(1, (), 8), 0.5
    w = np.array([[1.0, -0.5, 0.3, 2.0]])
    variance = 1 / (1 + (w**2).sum() / std**2)
    made = {
        "encoder": {
            "kernel": np.hstack([w.T * variance / std**2, np.zeros((4, 1))]),
            "bias": [0, np.log(variance) / 2],
        },
        "decoder": {"kernel": np.hstack([w, np.zeros((1, 4))]), "bias": np.r_[np.zeros(4), np.full(4, np.log(std))]},
    }
    params = {side: {"Dense_0": {k: jnp.asarray(v, "float32") for k, v in made[side].items()}} for side in made}
    assert jax.tree.structure(params) == jax.tree.structure(model.init(KEY, KEY, X)["params"])
    doubly, plain = (
        gradients(bound, model, {"params": params}, X, gaussian, num_samples=5, num_keys=50)["encoder"]
        for bound in (dreg_bound, iwae_bound)
    )
    assert max(abs(leaf).max() for leaf in jax.tree.leaves(doubly)) < 1e-3
    assert max(abs(leaf).max() for leaf in jax.tree.leaves(plain)) > 0.1


def test_the_factory_moves_the_decoder_as_the_iwae_does():
    tx = optax.sgd(0.1)
    algorithms = [make(MODEL, tx, likelihood=bernoulli, num_samples=5) for make in (dreg, iwae)]
    state = algorithms[0].init(KEY, BINARY)
    (one, metrics), (two, wanted) = (jax.jit(alg.step)(KEY, state, BINARY) for alg in algorithms)
    np.testing.assert_allclose(metrics["bound"].value, wanted["bound"].value, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one.params["decoder"], two.params["decoder"])
    moved = jax.tree.map(lambda a, b: float(abs(a - b).max()), one.params["encoder"], two.params["encoder"])
    assert max(jax.tree.leaves(moved)) > 1e-5
