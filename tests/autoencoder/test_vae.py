"""Bounds on a likelihood that is known: a linear-Gaussian model is probabilistic PCA, with p(x) in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy import stats

from adl.autoencoder.vae import bernoulli, beta_vae, elbo, gaussian, iwae, iwae_bound, log_likelihood, perceptrons, vae

KEY = jax.random.key(0)
D, Z, STD = 5, 2, 0.5
RNG = np.random.default_rng(0)
LOADINGS, OFFSET = RNG.normal(size=(Z, D)), RNG.normal(size=D)
X = jnp.asarray(RNG.normal(size=(6, D)), "float32")
MODEL = perceptrons(Z, (), 2 * D, nn.tanh)  # affine encoder and decoder


def variables(widen: float = 1.0) -> dict:
    """A decoder N(W z + b, STD^2), and the encoder that is its exact posterior, or `widen` times as wide."""
    precision = np.eye(Z) + LOADINGS @ LOADINGS.T / STD**2
    covariance = np.linalg.inv(precision)
    # The encoder is diagonal: rotate the latents so that the posterior is, which leaves p(x) as it is.
    values, vectors = np.linalg.eigh(covariance)
    loadings = vectors.T @ LOADINGS
    gain = (np.diag(values) @ loadings / STD**2).T
    log_std = 0.5 * np.log(values) + np.log(widen)
    params = MODEL.init(KEY, KEY, X)["params"]
    encoder = {"kernel": np.hstack([gain, np.zeros((D, Z))]), "bias": np.r_[-OFFSET @ gain, log_std]}
    decoder = {"kernel": np.hstack([loadings, np.zeros((Z, D))]), "bias": np.r_[OFFSET, np.full(D, np.log(STD))]}
    names = {side: next(iter(params[side])) for side in ("encoder", "decoder")}
    made = {"encoder": {names["encoder"]: encoder}, "decoder": {names["decoder"]: decoder}}
    return {"params": jax.tree.map(lambda x: jnp.asarray(x, "float32"), made)}


EXACT = stats.multivariate_normal(OFFSET, LOADINGS.T @ LOADINGS + STD**2 * np.eye(D)).logpdf(X)


def test_every_bound_is_the_likelihood_where_the_posterior_is_exact():
    v = variables()
    for num_samples in (1, 7):
        bound = jax.jit(lambda n=num_samples: iwae_bound(KEY, MODEL.bind(v), X, likelihood=gaussian, num_samples=n))
        np.testing.assert_allclose(bound(), EXACT, rtol=1e-3)
    parts = jax.jit(jax.vmap(lambda k: elbo(k, MODEL.bind(v), X, likelihood=gaussian)))(jax.random.split(KEY, 4000))
    error = parts["elbo"].std(0) / np.sqrt(4000)
    assert (abs(parts["elbo"].mean(0) - EXACT) < 5 * error + 1e-4).all()


def test_bounds_rise_to_the_likelihood():
    v, keys = variables(widen=2.0), jax.random.split(KEY, 500)

    def mean_bound(k):
        def bound(key):
            return iwae_bound(key, MODEL.bind(v), X, likelihood=gaussian, num_samples=k)

        return jax.jit(jax.vmap(bound))(keys).mean(0)

    bounds = [mean_bound(k) for k in (1, 5, 50)]
    assert (bounds[0] < bounds[1]).all() and (bounds[1] < bounds[2]).all() and (bounds[2] < EXACT + 0.01).all()
    np.testing.assert_allclose(bounds[2], EXACT, atol=0.05)
    sampled = jax.jit(jax.vmap(lambda key: elbo(key, MODEL.bind(v), X, likelihood=gaussian)["elbo"]))(keys).mean(0)
    np.testing.assert_allclose(sampled, bounds[0], atol=0.5)  # L_1 is the ELBO, in expectation


def test_parts_add_up():
    parts = elbo(KEY, MODEL.bind(variables(2.0)), X, likelihood=gaussian)
    np.testing.assert_allclose(parts["elbo"], parts["reconstruction"] - parts["kl"], rtol=1e-6)


def test_chunks_are_one_long_sum():
    v, num_chunks = variables(2.0), 4
    got = log_likelihood(KEY, MODEL.bind(v), X, likelihood=gaussian, num_samples=40, chunk=10)
    keys = jax.random.split(KEY, num_chunks)
    parts = [iwae_bound(key, MODEL.bind(v), X, likelihood=gaussian, num_samples=10) for key in keys]
    np.testing.assert_allclose(got, jax.nn.logsumexp(jnp.stack(parts), 0) - np.log(num_chunks), rtol=1e-5)
    with pytest.raises(ValueError, match="multiple"):
        log_likelihood(KEY, MODEL.bind(v), X, likelihood=gaussian, num_samples=45, chunk=10)


def test_factories_agree_where_they_meet():
    tx, x = optax.sgd(0.1), (X > 0).astype("float32")
    model = perceptrons(Z, (8,), D)
    first, second, weighted = (
        jax.jit(make(model, tx, likelihood=bernoulli).step)
        for make in (vae, lambda *a, **k: beta_vae(*a, beta=1.0, **k), lambda *a, **k: beta_vae(*a, beta=4.0, **k))
    )
    state = vae(model, tx, likelihood=bernoulli).init(KEY, x)
    one, metrics = first(KEY, state, x)
    two, _ = second(KEY, state, x)
    jax.tree.map(np.testing.assert_array_equal, one.params, two.params)
    four, heavier = weighted(KEY, state, x)
    np.testing.assert_allclose(heavier["loss"].value - metrics["loss"].value, 3 * metrics["kl"].value, rtol=1e-4)
    bound = jax.jit(iwae(model, tx, likelihood=bernoulli, num_samples=20).step)(KEY, state, x)[1]["bound"].value
    assert bound > metrics["elbo"].value and four.params is not one.params


@pytest.mark.full
def test_quoted_references_are_scikit_learns():
    """The linear-Gaussian bounds that the experiment's claim quotes, on the very data that it is evaluated on."""
    from sklearn.decomposition import PCA, FactorAnalysis

    from experiments.autoencoder import vae as experiment

    config = experiment.Config()
    train, test, seen = experiment.load(config)
    image = jnp.asarray(train.arrays["image"])
    train, test = np.asarray(seen.observe(jax.random.key(1), image), float), np.asarray(test.arrays["x"], float)
    grey = -64 * np.log(17 / 2)
    factors = FactorAnalysis(config.latent_dim, svd_method="lapack", max_iter=2000, tol=1e-4).fit(train).score(test)
    principal = PCA(config.latent_dim, svd_solver="full").fit(train).score(test)
    reference = experiment.CLAIMS[0].reference
    assert f"factor analyser {factors + grey:.1f}" in reference and f"PPCA {principal + grey:.1f}" in reference
    assert experiment.CLAIMS[0].at_least >= round(max(factors, principal) + grey, 1)
