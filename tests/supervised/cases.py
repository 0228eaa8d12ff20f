"""Classifiers."""

import functools

import flax.linen as nn
import optax

from adl import data
from adl.core import Algorithm
from adl.nn.resnet import BatchNorm, ResNet
from adl.supervised.classification import classifier, views
from adl.supervised.mixing import mixed_surprise, mixup
from adl.supervised.regression import fit, squared_error
from tests.case import Case, images


class Flat(nn.Module):
    """An affine map of whole pictures."""

    features: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.features)(x.reshape(len(x), -1))


def classify(axis: str | None, model: nn.Module, **options) -> Algorithm:
    return classifier(model, optax.adam(0.01), prepare=views(data.image.unit, **options), axis=axis)


def resnet(axis: str | None) -> nn.Module:
    return ResNet(2, (8, 8), norm=functools.partial(BatchNorm, axis=axis))


def brightness(key, batch):
    x = data.image.unit(batch["image"])
    return x, x.reshape(len(x), -1).mean(1, keepdims=True)


def regress(axis: str | None) -> Algorithm:
    return fit(Flat(1), optax.adam(0.01), loss=squared_error, prepare=brightness, axis=axis)


def mix(axis: str | None) -> Algorithm:
    prepare = mixup(views(data.image.unit), concentration=0.4)
    return fit(Flat(2), optax.adam(0.01), loss=mixed_surprise(), prepare=prepare, axis=axis)


CASES = {
    "fit, mixup": Case(mix, images, "loss", is_deterministic=False),
    "fit": Case(regress, images, "loss"),
    "classifier": Case(lambda axis: classify(axis, nn.Sequential([Flat(8), nn.relu, nn.Dense(2)])), images, "loss"),
    "classifier, batch norm": Case(lambda axis: classify(axis, resnet(axis)), images, "loss"),
    "classifier, views": Case(
        lambda axis: classify(axis, Flat(2), augment=functools.partial(data.views.random_shift, pixels=1)),
        images,
        "loss",
        is_deterministic=False,
    ),
}
