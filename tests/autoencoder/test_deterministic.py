"""Autoencoders of three kinds: the affine one finds the principal plane, penalties and noise are what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy import stats
from sklearn.decomposition import PCA

from adl.autoencoder import deterministic as ae
from adl.autoencoder.convolutional import PictureDecoder, PictureEncoder, halvings
from adl.core import BadInput

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def trained(algorithm, x, num_steps):
    state = jax.jit(algorithm.init)(KEY, x)

    def step(state, key):
        return algorithm.step(key, state, x)

    return jax.jit(lambda state: jax.lax.scan(step, state, jax.random.split(KEY, num_steps)))(state)


def test_the_affine_one_reaches_the_error_of_principal_components():
    x = (RNG.normal(size=(200, 6)) * [3, 2, 1, 0.5, 0.3, 0.1] @ RNG.normal(size=(6, 6)) + 1).astype("f")
    pca = PCA(2).fit(x)
    want = ((x - pca.inverse_transform(pca.transform(x))) ** 2).sum(1).mean()
    model = ae.Autoencoder(nn.Dense(2), nn.Dense(6))
    tx = optax.adam(optax.cosine_decay_schedule(0.05, 3000))
    state, metrics = trained(ae.autoencoder(model, tx), x, 3000)
    got = float(metrics["loss"].total[-1] / metrics["loss"].count[-1])
    np.testing.assert_allclose(got, want, rtol=2e-3)
    codes, coordinates = np.asarray(model.bind(state.variables).encode(x)), pca.transform(x)
    away = codes - coordinates @ np.linalg.lstsq(coordinates, codes - codes.mean(0))[0]
    assert away.std(0).max() < 0.02 * codes.std(0).max()


def test_what_denoises_shrinks_as_the_best_affine_map_does():
    """Of x of variances v, seen with noise of variance s^2: v / (v + s^2) of each coordinate."""
    variances, std = np.array([4.0, 1.0, 0.25]), 1.0
    x = (RNG.normal(size=(4000, 3)) * np.sqrt(variances)).astype("f")
    model = ae.Autoencoder(nn.Dense(3), nn.Dense(3))
    tx = optax.adam(optax.cosine_decay_schedule(0.03, 400))
    state, _ = trained(ae.denoising_autoencoder(model, tx, corrupt=ae.gaussian_noise(std)), x, 400)
    made = (
        model.apply(state.variables, np.eye(3, dtype="f"))[1] - model.apply(state.variables, np.zeros((3, 3), "f"))[1]
    )
    np.testing.assert_allclose(made, np.diag(variances / (variances + std**2)), atol=0.05)


def test_absolute_codes_are_few():
    x = RNG.normal(size=(64, 5)).astype("f")
    codes = {}
    for weight in (0.0, 0.5):
        model = ae.Autoencoder(nn.Sequential([nn.Dense(20), nn.relu]), nn.Dense(5))
        state, metrics = trained(ae.sparse_autoencoder(model, optax.adam(0.02), penalty=ae.absolute(weight)), x, 300)
        z = model.bind(state.variables).encode(x)
        codes[weight] = float((jnp.abs(z) > 1e-3).mean())
        np.testing.assert_allclose(metrics["loss"].total, metrics["error"].total + metrics["penalty"].total, rtol=1e-5)
    assert codes[0.5] < 0.7 * codes[0.0]


def test_rare_activations_are_the_divergence_of_two_coins():
    z = RNG.random((50, 3)).astype("f")
    want = 2 * sum(stats.entropy([0.1, 0.9], [mean, 1 - mean]) for mean in z.mean(0))
    np.testing.assert_allclose(ae.rare_activations(2.0, 0.1)(z), np.full(50, want), rtol=1e-4)
    np.testing.assert_allclose(ae.rare_activations(1.0, 0.5)(np.full((4, 2), 0.5, "f")), 0, atol=1e-6)
    assert np.isnan(ae.rare_activations(1.0, 0.1)(z + 1)).all()  # said aloud, not clipped
    assert np.isfinite(ae.rare_activations(1.0, 0.1)(np.zeros((4, 2), "f"))).all()


def test_masking_hides_the_share_that_it_says():
    x = np.ones((100, 100), "f")
    seen = ae.masking(0.3, -1.0)(KEY, x)
    np.testing.assert_allclose((seen == -1).mean(), 0.3, atol=0.03)
    assert set(np.unique(seen)) == {-1.0, 1.0}


FULL = {"marks": pytest.mark.full}


@pytest.mark.parametrize("shape", [(7, 5, 3), pytest.param((8, 8, 1), **FULL), pytest.param((1, 4, 1), **FULL)])
def test_convolutional_ones_take_any_size(shape):
    channels, dim = (4, 6), int(np.prod(shape))
    model = ae.Autoencoder(PictureEncoder(3, shape, channels), PictureDecoder(shape, channels, num_outputs=2))
    x = RNG.random((2, dim)).astype("f")
    (z, made), _ = jax.jit(model.init_with_output)(KEY, x)
    assert z.shape == (2, 3) and made.shape == (2, 2 * dim)


def test_numbers_of_a_pixel_stand_in_blocks():
    """First the first numbers of all pixels: what a likelihood of means and deviations splits."""
    decoder = PictureDecoder((4, 4, 1), (4,), num_outputs=2)
    variables = jax.jit(decoder.init)(KEY, np.zeros((1, 3), "f"))
    params = jax.tree.map(jnp.zeros_like, variables["params"])
    last = params["Doubling_0"][max(name for name in params["Doubling_0"] if name.startswith("Conv_"))]
    last["bias"] = jnp.array([1.0, 2.0])
    np.testing.assert_array_equal(
        decoder.apply({"params": params}, np.zeros((1, 3), "f"))[0], np.repeat([1.0, 2.0], 16)
    )


def test_too_many_levels_are_said():
    assert halvings((7, 5), 3) == [(7, 5), (4, 3), (2, 2), (1, 1)]
    with pytest.raises(BadInput, match="4 levels of channels halve a picture of 7 x 5 to nothing: at most 3"):
        halvings((7, 5), 4)
    with pytest.raises(BadInput, match="at least one"):
        halvings((7, 5), 0)
