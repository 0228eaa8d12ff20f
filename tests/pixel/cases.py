"""Autoregressive models of small pictures."""

import optax

from adl import data
from adl.core import Algorithm
from adl.pixel.gated_pixelcnn import GatedPixelCNN
from adl.pixel.likelihood import categories
from adl.pixel.raster import pixelwise
from tests.case import Case, images

LIKELIHOOD = categories(4)


def make(axis: str | None) -> Algorithm:
    model = GatedPixelCNN((8, 8, 1), 4, LIKELIHOOD.num_outputs, width=4, num_layers=2, num_classes=2)
    return pixelwise(model, optax.adam(0.01), likelihood=LIKELIHOOD, prepare=levels, axis=axis)


def levels(key, batch):
    return data.image.level_of(batch["image"], levels=4), batch["label"]


CASES = {"pixelwise": Case(make, images, "loss")}
