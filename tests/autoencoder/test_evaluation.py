"""Measures agree with the bounds that they are of, on the averaged parameters, without what is padding."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.autoencoder import evaluation, pixels
from adl.autoencoder.vae import elbo, perceptrons
from adl.core import BadInput, Learner, average_params, full_pass, tree

KEY = jax.random.key(0)
SEEN = pixels.binary()
MODEL = perceptrons(2, (8,), 4)
X = SEEN.observe(KEY, jnp.full((10, 2, 2, 1), 128, jnp.uint8))
LEARNER = Learner.create(MODEL.init(KEY, KEY, X), optax.chain(optax.sgd(0.1), average_params(0.9)))
STATE = LEARNER._replace(params=tree.zeros(LEARNER.params))  # what is looked at is the average
BATCHES = {"x": jnp.concatenate([X, jnp.full((2, 4), jnp.nan)]).reshape(2, 6, 4)}
BATCHES["mask"] = (jnp.arange(12) < 10).astype(jnp.float32).reshape(2, 6)


def test_parts_of_the_bound_add_up_to_it_and_more_latents_say_more():
    seen = full_pass(evaluation.bounds(MODEL, SEEN.likelihood), BATCHES, 10)(KEY, STATE)
    assert all(mean.count == 10 for mean in seen.values())
    bound = seen["reconstruction"].value - seen["kl"].value
    np.testing.assert_allclose(seen["elbo"].value, bound, rtol=1e-5)
    many = evaluation.importance(MODEL, SEEN.likelihood, num_samples=500)
    nll = full_pass(many, BATCHES, 10)(KEY, STATE)["nll"].value
    draws = [
        elbo(key, MODEL.bind(LEARNER.variables), X, likelihood=SEEN.likelihood) for key in jax.random.split(KEY, 50)
    ]
    assert -nll > np.mean([draw["elbo"] for draw in draws])
    with pytest.raises(BadInput, match="multiple of 50"):
        evaluation.importance(MODEL, SEEN.likelihood, num_samples=60)


def test_coder_is_of_the_average():
    encode, decode = evaluation.coder(MODEL, SEEN, (2, 2, 1))
    bound = MODEL.bind(LEARNER.variables)
    np.testing.assert_allclose(encode(STATE, X), bound.encode(X)[0], rtol=1e-6)
    z = jax.random.normal(KEY, (3, 5, 2))
    assert decode(STATE, z).shape == (3, 5, 2, 2, 1)
    np.testing.assert_allclose(decode(STATE, z).reshape(3, 5, 4), SEEN.mean(bound.decode(z)), rtol=1e-6)
