"""What one body serves: plentiful classes, then others."""

import functools

import optax
from flax import linen as nn

from adl import data
from adl.core import Algorithm
from adl.nn.mlp import MLP, flat
from adl.supervised.classification import classifier, views
from adl.vision.transfer import students, transfer
from tests.case import Case, images


def body() -> nn.Module:
    return nn.Sequential([flat, MLP((8,))])


def few(axis: str | None) -> Algorithm:
    learns = functools.partial(classifier, prepare=views(data.image.unit), axis=axis)
    return students(body(), optax.adam(0.01), learns=learns, num_classes=2)


def handed(axis: str | None) -> Algorithm:
    """Phases so short that three steps see all of them."""
    learns = functools.partial(classifier, prepare=views(data.image.unit), axis=axis)
    of = {"num_classes": (2, 2), "periods": (1, 6), "tuned": optax.adam(0.003)}
    return transfer(body(), optax.adam(0.01), learns=learns, **of)


CASES = {"transfer": Case(handed, images, "loss"), "students": Case(few, images, "loss")}
