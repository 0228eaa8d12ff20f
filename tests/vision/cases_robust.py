"""Networks that learn from pictures under attack."""

import functools

import flax.linen as nn
import optax

from adl import data
from adl.core import Algorithm
from adl.nn.mlp import flat
from adl.vision.adversarial import L2, LINF, adversarial_classifier, fast_gradient, projected_gradient
from tests.case import Case, images


def encoded(key, batch):
    return data.image.unit(batch["image"]), batch["label"]


def adversarial(axis: str | None, attack) -> Algorithm:
    model = nn.Sequential([flat, nn.Dense(8), nn.relu, nn.Dense(2)])
    return adversarial_classifier(model, optax.adam(0.01), attack=attack, prepare=encoded, axis=axis)


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
}
