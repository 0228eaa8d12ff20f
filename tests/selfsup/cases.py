"""Representations without labels."""

import jax
import numpy as np
import optax
from flax import linen as nn

from adl import data
from adl.core import Algorithm
from adl.nn.mlp import MLP, flat
from adl.selfsup.byol import Predicting, byol
from adl.selfsup.deepcluster import deepcluster
from adl.selfsup.embedder import encoded, of_perceptrons
from adl.selfsup.image_text import TwoTowers, image_text
from adl.selfsup.rotations import rotation_prediction
from tests.case import IMAGES, Case, images


def numbered(step: int) -> dict[str, np.ndarray]:
    """The same pictures at every step, and what they are called."""
    return {"image": IMAGES[0], "index": np.arange(16, dtype=np.int32)}


def speckled(key: jax.Array, image: jax.Array) -> jax.Array:
    return data.views.random_noise(key, image, std=0.1)


def bootstrap(axis: str | None) -> Algorithm:
    embedder, predictor = of_perceptrons((16, 16), (16, 8), axis=axis), MLP((16, 8))
    return byol(
        Predicting(embedder, predictor), optax.adam(0.01), view=speckled, prepare=encoded(data.image.unit), axis=axis
    )


def clusters(axis: str | None) -> Algorithm:
    """Phases so short that three steps see all of them."""
    of = {"num_examples": 16, "num_clusters": 4, "periods": (1, 6), "num_lloyd": 3}
    embedder = of_perceptrons((16, 16), (16, 8), axis=axis)
    return deepcluster(embedder, optax.adam(0.01), view=speckled, prepare=encoded(data.image.unit), axis=axis, **of)


def told(step: int) -> dict[str, np.ndarray]:
    """Pictures, and their corners in words."""
    image = images(step)["image"]
    return {"image": image, "token": (image[:, 0, :4, 0] > 127).astype(np.int32)}


def two_towers(axis: str | None) -> Algorithm:
    picture, text = nn.Sequential([flat, MLP((16, 8))]), nn.Sequential([nn.Embed(2, 4), flat])
    model = TwoTowers(picture, text, 8)
    return image_text(model, optax.adam(0.01), prepare=lambda key, image: image / 128 - 1, axis=axis)


def upright(axis: str | None) -> Algorithm:
    model = nn.Sequential([flat, MLP((16, 4))])
    return rotation_prediction(model, optax.adam(0.01), prepare=encoded(data.image.unit), axis=axis)


CASES = {
    "byol": Case(bootstrap, images, "loss", is_deterministic=False),
    "deepcluster": Case(clusters, numbered, "loss", is_deterministic=False),
    "image_text": Case(two_towers, told, "loss"),
    "rotation_prediction": Case(upright, images, "loss", is_deterministic=False),
}
