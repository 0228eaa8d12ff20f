"""Large pictures of full contrast: the first steps of a VAE stay finite, whatever they make of the deviations."""

import jax
import numpy as np
from flax import linen as nn

from adl.autoencoder import pixels
from adl.autoencoder.vae import beta_vae, perceptrons
from adl.core import optimizer

IMAGE = np.where(np.random.default_rng(0).random((16, 64, 64, 1)) < 0.9, 255, 0).astype(np.uint8)


def test_losses_are_finite_on_glaring_pictures():
    seen = pixels.dequantised(17)
    model = perceptrons(4, (128,), 2 * 64 * 64, nn.silu)
    more = {"likelihood": seen.likelihood, "prepare": lambda key, batch: seen.observe(key, batch["image"])}
    algorithm = beta_vae(model, optimizer.adam(1e-2), beta=1.0, **more)
    state, step = algorithm.init(jax.random.key(0), {"image": IMAGE}), jax.jit(algorithm.step)
    for t in range(12):
        state, metrics = step(jax.random.key(t), state, {"image": IMAGE})
        assert np.isfinite(metrics["loss"].value), t


def test_a_deviation_is_never_below_that_of_the_spreading():
    """Of a decoder that foretells levels exactly and is sure of it: the Gaussian of U[0, 1)'s variance, in levels."""
    seen, x = pixels.dequantised(17), np.zeros((1, 3), np.float32)
    sure = np.concatenate([np.zeros((1, 3)), np.full((1, 3), -60.0)], 1).astype("f")
    want = -1.5 * np.log(2 * np.pi / 12)
    np.testing.assert_allclose(seen.likelihood(x, sure), [want], rtol=1e-5)
