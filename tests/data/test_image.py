"""Pixels to floats: the ends of the range are exact, and no step is lost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import BadInput
from adl.data import Split, image

PIXELS = jnp.arange(256, dtype=jnp.uint8)


def test_unit_and_symmetric():
    unit, symmetric = image.unit(PIXELS), image.symmetric(PIXELS)
    assert unit.dtype == symmetric.dtype == jnp.float32
    assert (unit[0], unit[-1], symmetric[0], symmetric[-1]) == (0, 1, -1, 1)
    np.testing.assert_allclose(symmetric, 2 * unit - 1, atol=1e-6)
    np.testing.assert_array_equal(jnp.round(unit * 255), PIXELS)
    np.testing.assert_allclose(jnp.diff(unit), 1 / 255, rtol=1e-4)
    np.testing.assert_allclose(image.from_symmetric(symmetric), unit, atol=1e-6)
    np.testing.assert_array_equal(image.from_symmetric(jnp.array([-1.5, 3.0])), [0, 1])


def test_binary_is_black_from_the_threshold_on():
    black = image.binary(np.arange(256, dtype=np.uint8), 0.5)
    assert black.dtype == np.float32
    np.testing.assert_array_equal(black, np.arange(256) >= 127.5)
    assert image.binary(np.zeros(1, np.uint8), 0.0) == 1 and image.binary(np.full(1, 255, np.uint8), 1.0) == 1


def test_dequantised_levels_are_uniform_and_come_back():
    levels = jnp.repeat(jnp.arange(17), 300)
    x = image.dequantised(jax.random.key(0), jnp.round(levels * 255 / 16).astype(jnp.uint8), levels=17)
    np.testing.assert_array_equal(jnp.floor(x * 17), levels)
    assert stats.kstest(np.asarray(x * 17 - levels), "uniform").pvalue > 1e-3


def test_flat_pictures_keep_their_labels():
    split = Split({"image": np.zeros((3, 2, 2, 1), np.uint8), "label": np.arange(3)})
    points = image.flat(split, split.arrays["image"] + 1.0)
    assert points.arrays["x"].shape == (3, 4) and points.arrays["x"].all()
    np.testing.assert_array_equal(points.arrays["label"], np.arange(3))


@pytest.mark.parametrize("num", [2, 4, 17, 100, 256])
def test_grey_levels_are_those_of_the_pictures(num):
    pixels = np.round(np.arange(num) * 255 / (num - 1)).astype(np.uint8).reshape(1, -1, 1, 1)
    split = Split({"image": pixels})
    assert image.num_levels(split) == image.num_levels(split, split, asked=num) == num
    assert image.num_levels(split, asked=256) == 256
    for asked in (1, 257, *([num - 1] if num > 2 else ())):
        with pytest.raises(BadInput, match=f"--levels {asked}: these pictures have {num} grey levels"):
            image.num_levels(split, asked=asked)
