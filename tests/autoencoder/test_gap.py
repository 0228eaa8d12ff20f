"""The amortisation gap of a model whose posterior is known: what a wrong encoder loses, descent gives back."""

import jax
import numpy as np
import optax

from adl.autoencoder.gap import amortisation, local_elbo
from adl.autoencoder.latents import DiagonalNormal
from adl.autoencoder.vae import gaussian
from adl.core import Learner, average_params, full_pass
from tests.autoencoder.test_vae import EXACT, KEY, MODEL, X, Z, variables


def found(widen):
    learner = Learner.create(variables(widen), optax.chain(optax.sgd(0.1), average_params(0.9)))
    batches = {"x": np.concatenate([X, np.full((2, X.shape[1]), np.nan, "f")]).reshape(2, 4, -1)}
    batches["mask"] = (np.arange(8) < 6).astype("f").reshape(2, 4)
    measure = amortisation(MODEL, gaussian, num_steps=300, num_samples=16, num_judged=2000)
    return {name: mean.value for name, mean in full_pass(measure, batches, 6)(KEY, learner).items()}


def test_the_gap_is_the_divergence_of_the_encoder_from_the_posterior():
    """Widened by 2 in each of Z latents: KL = Z (3 / 2 - log 2), and each example's own Gaussian is the posterior."""
    seen = found(2.0)
    np.testing.assert_allclose(seen["local"], EXACT.mean(), atol=0.05)
    np.testing.assert_allclose(seen["gap"], Z * (1.5 - np.log(2)), atol=0.1)
    np.testing.assert_allclose(seen["local"] - seen["amortised"], seen["gap"], atol=1e-3)


def test_an_exact_encoder_has_none():
    np.testing.assert_allclose(found(1.0)["gap"], 0, atol=0.02)


def test_the_bound_of_a_latent_of_ones_own():
    """At the posterior every draw says the same: log p(x)."""
    bound = MODEL.bind(variables())
    q = bound.encode(X)
    got = jax.jit(lambda: local_elbo(KEY, MODEL.bind(variables()), q, X, likelihood=gaussian, num_samples=4000))()
    np.testing.assert_allclose(got, EXACT, atol=0.15)
    worse = DiagonalNormal(q.mean + 1, q.log_std)
    less = jax.jit(lambda: local_elbo(KEY, MODEL.bind(variables()), worse, X, likelihood=gaussian, num_samples=4000))()
    assert (less < got - 1).all()
