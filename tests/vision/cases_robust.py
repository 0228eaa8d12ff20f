"""Networks that learn from pictures under attack."""

import functools

import flax.linen as nn
import jax
import numpy as np
import optax

from adl import data
from adl.core import Algorithm
from adl.nn.convolution import Conv
from adl.nn.mlp import flat
from adl.vision.adversarial import L2, LINF, adversarial_classifier, fast_gradient, projected_gradient
from adl.vision.style import style_transfer
from tests.case import IMAGES, Case, images


def encoded(key, batch):
    return data.image.unit(batch["image"]), batch["label"]


def adversarial(axis: str | None, attack) -> Algorithm:
    model = nn.Sequential([flat, nn.Dense(8), nn.relu, nn.Dense(2)])
    return adversarial_classifier(model, optax.adam(0.01), attack=attack, prepare=encoded, axis=axis)


class Edges(nn.Module):
    """Two layers of features."""

    @nn.compact
    def __call__(self, x):
        first = nn.relu(Conv(4, (3, 3))(x))
        return [first, nn.relu(Conv(4, (3, 3), 2)(first))]


def photographs(step: int) -> dict[str, np.ndarray]:
    """Pictures whose styles are those of their neighbours, the same at each step."""
    x = (IMAGES[0] / 255).astype("f")
    return {"content": x, "style": x[::-1].copy() ** 2}


def transfer() -> Algorithm:
    features = functools.partial(Edges().apply, Edges().init(jax.random.key(0), np.zeros((1, 8, 8, 1), "f")))
    return style_transfer(features, optax.adam(0.02), content_layer=1, content_weight=0.01, smooth_weight=0.01)


CASES = {
    "adversarial_classifier": Case(
        lambda axis: adversarial(axis, functools.partial(fast_gradient, epsilon=0.01, norm=LINF)), images, "loss"
    ),
    "adversarial_classifier, pgd in l2": Case(
        lambda axis: adversarial(axis, functools.partial(projected_gradient, epsilon=0.1, norm=L2, num_steps=2)),
        images,
        "loss",
        is_deterministic=False,
    ),
    "style_transfer": Case(lambda axis: transfer(), photographs, "loss", reduces=False),
}
