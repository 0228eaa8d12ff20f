"""Ways to see pixels: what is observed has the law that the likelihood is of, and means are grey levels again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl import data
from adl.autoencoder import pixels
from adl.core import BadInput

KEY = jax.random.key(0)
IMAGE = jnp.asarray(np.linspace(0, 255, 8).round().reshape(2, 2, 2, 1), jnp.uint8)  # eight levels


def test_bits_have_the_greys_for_their_means():
    seen = pixels.binary()
    x = jnp.stack([seen.observe(key, IMAGE) for key in jax.random.split(KEY, 400)])
    assert x.shape == (400, 2, 4) and set(np.unique(x)) == {0, 1}
    np.testing.assert_allclose(x.mean(0), IMAGE.reshape(2, 4) / 255, atol=4 * 0.5 / 20)
    logits = jax.random.normal(KEY, (3, 4))
    want = stats.bernoulli.logpmf(np.asarray(x[:3, 1]), np.asarray(seen.mean(logits))).sum(-1)
    np.testing.assert_allclose(seen.likelihood(x[:3, 1], logits), want, rtol=1e-5)
    assert seen.num_outputs == 1


def test_levels_are_filled_up_and_their_density_is_per_level():
    seen = pixels.dequantised(8)
    x = seen.observe(KEY, IMAGE)
    level = np.asarray(4 * x + 4)  # [-1, 1] is 8 levels
    np.testing.assert_array_equal(np.floor(level), np.arange(8).reshape(2, 4))
    assert not np.array_equal(x, seen.observe(jax.random.key(1), IMAGE))
    mean, log_std = jax.random.normal(KEY, (2, 2, 4))
    output = jnp.concatenate([mean, log_std], -1)
    std = np.sqrt(16 * np.exp(2 * log_std) + 1 / 12)  # with that of U[0, 1), in levels
    want = stats.norm.logpdf(level, 4 * mean + 4, std).sum(-1)
    np.testing.assert_allclose(seen.likelihood(x, output), want, rtol=1e-4)
    np.testing.assert_allclose(seen.mean(output), (4 * mean + 4) / 8, rtol=1e-6)
    assert seen.num_outputs == 2


def test_noise_of_one_width_is_that_of_scipy():
    seen = pixels.fixed(0.2)
    x = seen.observe(KEY, IMAGE)
    np.testing.assert_allclose(x, np.asarray(IMAGE).reshape(2, 4) / 255, rtol=1e-6)
    mean = jax.random.normal(KEY, (3, 2, 4))
    want = stats.norm.logpdf(np.asarray(x)[None], mean, 0.2).sum(-1)
    np.testing.assert_allclose(seen.likelihood(x[None], mean), want, rtol=1e-4)
    np.testing.assert_array_equal(seen.mean(mean), mean)


@pytest.mark.parametrize(
    "image, what", [(IMAGE[:1], "one training picture"), (np.asarray(IMAGE)[[0, 0, 0]], "all 3 training")]
)
def test_pictures_that_are_all_one_are_said(image, what):
    with pytest.raises(BadInput, match=f"{what}.*at least two that differ"):
        pixels.of_pictures(data.Split({"image": np.asarray(image)}), data.Split({"image": np.asarray(IMAGE)}), asked=0)
    seen = pixels.of_pictures(*[data.Split({"image": np.asarray(IMAGE)})] * 2, asked=0, kind="binary")
    assert seen.num_outputs == 1


def test_what_needs_no_network_is_told_in_nats_of_the_same_levels():
    """Of two pixels that are alike each alone takes twice its own entropy, and a Gaussian knows that they are alike."""
    level = np.random.default_rng(0).integers(0, 8, 4000)
    image = np.round(255 / 7 * level).astype(np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 1), np.uint8)
    split = data.Split({"image": image})
    told = {name: float(mean.value) for name, mean in pixels.plain_bounds(split, split, asked=0)(KEY, ()).items()}
    np.testing.assert_allclose(told["uniform"], -2 * np.log(8), rtol=1e-6)
    np.testing.assert_allclose(told["independent"], -2 * np.log(8), atol=0.01)
    x = np.repeat(level[:, None], 2, 1) + np.random.default_rng(1).random((4000, 2))
    fitted = stats.multivariate_normal(x.mean(0), np.cov(x.T))
    np.testing.assert_allclose(told["gaussian"], fitted.logpdf(x).mean(), atol=0.05)
