"""Baselines are what scikit-learn fits to dequantised pictures, and bound their probability in bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from adl.core import BadInput
from adl.latent import baselines

RNG = np.random.default_rng(0)
LEVELS = 5
LEVEL = np.clip(RNG.normal(2, 1, (300, 3, 3, 1)) + RNG.normal(0, 1, (300, 1, 1, 1)), 0, 4).round().astype(int)
LEVEL[:, 0, 0] = 0  # a pixel that never changes
IMAGE = np.round(LEVEL * 255 / 4).astype(np.uint8)


def test_are_scikit_learn_s_on_dequantised_pictures():
    """As it fits many draws of the spreading, one by one, they agree to its scatter."""
    found = baselines.picture_densities(IMAGE, levels=LEVELS, num_factors=3, num_components=1)
    spread = np.tile(LEVEL.reshape(300, 9), (200, 1))
    x = (spread + RNG.uniform(size=spread.shape)) / LEVELS
    theirs = GaussianMixture(1).fit(x)
    np.testing.assert_allclose(found["gaussian"].covariance, theirs.covariances_[0], atol=6e-4)
    np.testing.assert_allclose(found["gaussian"].loc, theirs.means_[0], atol=4e-3)
    ours = jax.vmap(found["ppca"].log_prob)(jnp.asarray(x[:50], "f"))
    np.testing.assert_allclose(ours, PCA(3).fit(x).score_samples(x[:50]), atol=0.05)


def test_no_model_has_less_than_no_bits_and_a_better_one_has_fewer():
    found = baselines.picture_densities(IMAGE, levels=LEVELS, num_factors=3, num_components=2)
    bits = baselines.bits_of(found, IMAGE, levels=LEVELS)
    assert all(0 < bits[name] < np.log2(LEVELS) for name in ("gaussian", "ppca", "mixture"))
    assert bits["gaussian"] < bits["ppca"]
    drawn = baselines.drawn_pictures(jax.random.key(0), found["gaussian"], 5000, IMAGE, levels=LEVELS)
    assert drawn.shape == (5000, 3, 3, 1) and {*np.unique(drawn)} == {0, 0.25, 0.5, 0.75, 1}
    np.testing.assert_allclose(drawn[:, 1:].mean(), LEVEL[:, 1:].mean() / 4, atol=0.02)
    assert (drawn[:, 0, 0] == 0).mean() > 0.9  # the pixel that never changes: nine in ten draws lie over its level


@pytest.mark.parametrize("num", [6, 200])
def test_principal_components_are_those_of_the_covariance_whether_pictures_are_few_or_many(num):
    image = RNG.integers(0, 256, (num, 4, 4, 1), dtype=np.uint8)
    found = baselines.principal_pictures(image, levels=256, num_factors=3)
    x = (image.reshape(num, -1) + 0.5) / 256
    theirs = PCA(3).fit(x)
    values = theirs.explained_variance_ * (num - 1) / num
    rest = (x.var(0).sum() - values.sum()) / 13  # the mean of the variances in the other directions
    np.testing.assert_allclose(found.loc, x.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.noise, rest + 1 / (12 * 256**2), rtol=2e-3)
    square = (theirs.components_.T * (values - rest)) @ theirs.components_
    np.testing.assert_allclose(found.loading @ found.loading.T, square, atol=1e-4)


def test_principal_components_are_finite_where_pictures_are_the_same():
    """Of three in a line there is one, whatever is asked for."""
    image = np.array([0, 254, 127, 127], np.uint8)[:, None, None, None] * np.ones((4, 4, 1), np.uint8)
    found = baselines.principal_pictures(image, levels=256, num_factors=3)
    np.testing.assert_allclose(found.loading @ found.loading.T, np.full((16, 16), (127 / 256) ** 2 / 2), rtol=1e-4)


def test_principal_components_of_a_single_picture_are_refused():
    with pytest.raises(BadInput, match="all alike"):
        baselines.principal_pictures(IMAGE[:1], levels=LEVELS, num_factors=2)


@pytest.mark.parametrize("image", [IMAGE[:1], np.full((5, 2, 2, 1), 3, np.uint8)], ids=["one", "alike"])
def test_what_has_no_covariance_is_refused(image):
    with pytest.raises(BadInput, match="all alike"):
        baselines.picture_densities(image, levels=2)


def test_large_pictures_are_refused():
    with pytest.raises(BadInput, match="12288 numbers"):
        baselines.picture_densities(np.zeros((3, 64, 64, 3), np.uint8), levels=256)
