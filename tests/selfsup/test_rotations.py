"""Rotation prediction: pictures are turned as NumPy turns them, and an arrow is told by which way it points."""

import jax
import numpy as np
import optax
import pytest

from adl.core import BadInput, jitted, repeated
from adl.nn.mlp import MLP
from adl.selfsup.rotations import quarter_turned, rotation_prediction


def test_turns_are_numpy_s():
    images = np.random.default_rng(0).normal(size=(8, 5, 5, 2)).astype("f")
    quarter = np.arange(8) % 4
    for image, k, found in zip(images, quarter, quarter_turned(images, quarter), strict=True):
        np.testing.assert_array_equal(found, np.rot90(image, k))


def test_only_square_pictures_are_turned():
    with pytest.raises(BadInput, match="pictures of 5x4.*--picture_size 4x4 --picture_fit crop") as error:
        quarter_turned(np.zeros((2, 5, 4, 1)), np.zeros(2, int))
    assert "\n" not in str(error.value)


def test_an_upright_picture_is_learned_and_a_round_one_is_not():
    """Of a bar at the top nothing is in doubt; of a blank picture nothing is known: log 4."""

    class Flat(MLP):
        def __call__(self, x):
            return super().__call__(x.reshape(len(x), -1))

    algorithm = jitted(repeated(rotation_prediction(Flat((4,)), optax.adam(0.1)), 60))
    bar = np.zeros((32, 4, 4, 1), np.float32)
    bar[:, 0] = 1
    for images, (least, most) in ((bar, (0.99, 1.0)), (0 * bar, (0.15, 0.35))):
        stacked = {"image": np.stack([images] * 60)}
        state = algorithm.init(jax.random.key(0), stacked)
        state, _ = algorithm.step(jax.random.key(1), state, stacked)
        state, metrics = algorithm.step(jax.random.key(2), state, stacked)
        assert least <= metrics["accuracy"].value <= most
