"""The linear VAE's bound is the likelihood at probabilistic PCA's optimum, which descent finds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.decomposition import PCA

from adl.autoencoder.linear import LinearVAE, linear_vae
from adl.autoencoder.vae import elbo, gaussian, perceptrons
from adl.latent import principal

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, D, Z = 300, 6, 2
TURN = np.linalg.qr(RNG.normal(size=(D, D)))[0]
X = (RNG.normal(size=(N, D)) * [3, 2, 0.8, 0.7, 0.6, 0.5] @ TURN + RNG.normal(size=D)).astype("f")


def optimum() -> dict:
    """Parameters at the maximum: Tipping & Bishop 1999, eq. 7 and 8, with biased moments."""
    values, vectors = np.linalg.eigh(np.cov(X.T, bias=True).astype(float))
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = values[Z:].mean()
    loadings = vectors[:, :Z] * np.sqrt(values[:Z] - noise)
    gain = np.linalg.solve(loadings.T @ loadings + noise * np.eye(Z), loadings.T)
    found = {
        "loadings": loadings.T,
        "gain": gain.T,
        "log_std": 0.5 * np.log(noise / values[:Z]),
        "mean": X.mean(0),
        "log_noise": 0.5 * np.log(noise),
    }
    return {"params": jax.tree.map(lambda leaf: jnp.asarray(leaf, "float32"), found)}


def exact() -> float:
    """Mean log-likelihood at the maximum; scikit-learn's, of unbiased moments, lies a little below."""
    moments = np.cov(X.T, bias=True).astype(float)
    values, vectors = np.linalg.eigh(moments)
    noise = values[: D - Z].mean()
    model = (vectors[:, -Z:] * values[-Z:]) @ vectors[:, -Z:].T + noise * vectors[:, :-Z] @ vectors[:, :-Z].T
    return float(
        -0.5 * (D * np.log(2 * np.pi) + np.linalg.slogdet(model)[1] + np.trace(np.linalg.solve(model, moments)))
    )


def test_the_bound_is_the_likelihood_at_the_optimum():
    parts = LinearVAE(Z).apply(optimum(), X)
    np.testing.assert_allclose(parts["elbo"].mean(), exact(), atol=1e-4)
    np.testing.assert_allclose(PCA(Z).fit(X).score(X), exact(), atol=1e-3)


def test_descent_reaches_it_and_its_columns_are_the_components():
    tx = optax.adam(optax.cosine_decay_schedule(0.03, 4000))
    algorithm = linear_vae(LinearVAE(Z), tx)

    def step(state, key):
        return algorithm.step(key, state, X)

    run = jax.jit(lambda: jax.lax.scan(step, algorithm.init(KEY, X), jax.random.split(KEY, 4000)))
    state, metrics = run()
    got = LinearVAE(Z).apply(state.variables, X)["elbo"].mean()
    np.testing.assert_allclose(got, exact(), atol=2e-4)
    assert (metrics["elbo"].total / N <= exact() + 1e-4).all()  # nothing passes it
    loadings = np.asarray(state.params["loadings"])
    found = principal.found(jnp.asarray(X), Z)
    noise = np.exp(2 * state.params["log_noise"])
    cosines = np.abs(loadings @ np.asarray(found.basis)) / np.linalg.norm(loadings, axis=1)[:, None]
    np.testing.assert_allclose(np.sort(cosines.max(1)), 1, atol=1e-3)  # each column is one component, not a mixture
    want = np.sqrt(np.asarray(found.variance) * (N - 1) / N - noise)
    np.testing.assert_allclose(np.sort(np.linalg.norm(loadings, axis=1))[::-1], want, rtol=0.01)


def test_the_closed_form_is_the_mean_of_sampled_bounds():
    """Of the same affine maps in a VAE that draws its latents."""
    params = optimum()["params"] | {"log_std": jnp.array([0.3, -0.5])}
    want = LinearVAE(Z).apply({"params": params}, X[:5])
    model = perceptrons(Z, (), 2 * D)
    made = model.init(KEY, KEY, X[:5])["params"]
    names = {side: next(iter(made[side])) for side in made}
    gain, mean = params["gain"], params["mean"]
    encoder = {
        "kernel": jnp.concatenate([gain, jnp.zeros((D, Z))], 1),
        "bias": jnp.concatenate([-mean @ gain, params["log_std"]]),
    }
    decoder = {
        "kernel": jnp.concatenate([params["loadings"], jnp.zeros((Z, D))], 1),
        "bias": jnp.concatenate([mean, jnp.full(D, params["log_noise"])]),
    }
    variables = {"params": {"encoder": {names["encoder"]: encoder}, "decoder": {names["decoder"]: decoder}}}
    draws = jax.jit(jax.vmap(lambda key: elbo(key, model.bind(variables), X[:5], likelihood=gaussian)["elbo"]))(
        jax.random.split(KEY, 20000)
    )
    error = draws.std(0) / np.sqrt(20000)
    assert (abs(draws.mean(0) - want["elbo"]) < 5 * error + 1e-3).all()
